package sink

// A Handle names an object to the consumer. The sink issues it; 0 is no object.
type Handle uint64

// A Kind says what a handle names.
type Kind uint8

// Kinds of objects that the engine has handles issued for.
const (
	KindConn Kind = iota + 1
	KindRequest
	KindSession
	KindStream
	KindFetch   // a request of a client's, whose handle the consumer's side has given out (see Sink.IssueFor)
	KindConnect // the wish for a connection, likewise
)

// An EventType says what an event tells. The values are those of enum zig_h3_event_type.
type EventType uint16

// The events that the engine emits; include/zig_h3.h says what each carries.
const (
	EventRequest       EventType = 1
	EventBody          EventType = 2
	EventBodyEnd       EventType = 3
	EventWritable      EventType = 4 // emitted by the sink, see Sink.Drained
	EventStreamClosed  EventType = 5
	EventConnOpened    EventType = 6
	EventConnClosed    EventType = 7
	EventServerStarted EventType = 8
	EventServerStopped EventType = 9
	EventLog           EventType = 11

	EventQUICDatagram     EventType = 13
	EventH3Datagram       EventType = 14
	EventSessionRequest   EventType = 15
	EventSessionOpened    EventType = 16
	EventSessionDraining  EventType = 17
	EventSessionClosed    EventType = 18
	EventSessionDatagram  EventType = 19
	EventStreamOpened     EventType = 20
	EventStreamData       EventType = 21
	EventStreamReset      EventType = 22
	EventStreamStopped    EventType = 23
	EventStreamEnded      EventType = 24
	EventDatagramsDropped EventType = 25
	EventStreamAtomic     EventType = 26 // no Drained for its bytes: the sink counts Aux of them as gone, whatever the code

	// A client's. Its fetches have BODY, BODY_END and STREAM_STOPPED, too: of the response, and of their own upload.
	EventInformational EventType = 27 // Status: 1xx; Meta: its fields
	EventResponse      EventType = 28 // Status; Meta: its fields; Data: of its body what was there; FlagEnd: all of it; Aux: QUIC's id of its stream
	EventFetchDone     EventType = 29 // terminal. Code; Status: the response's, 0 if none came; Aux: the peer's code; Data: why, in words
	EventClientClosed  EventType = 30 // terminal, behind the ends of all that was the client's
	EventConnectDone   EventType = 31 // terminal, of the wish for a connection. Code; Conn: the connection, 0 if there is none; Data: why, in words
)

// Flags of an event. The values are those of enum zig_h3_event_flag.
const (
	FlagEnd      uint16 = 0x1
	FlagRemote   uint16 = 0x2
	FlagAborted  uint16 = 0x4
	FlagBuffered uint16 = 0x8
	FlagCounters uint16 = 0x10 // EventSessionClosed: meta is SessionStats
	FlagEarly    uint16 = 0x20 // EventResponse: the request went out as early data (0-RTT), which the server has taken
)

// An Event is the head of what a sink delivers; its payload stands in the Record. Meta and data lie in Record.Payload one behind
// the other: MetaLen bytes, filler up to a multiple of 8, DataLen bytes (see PayloadSize).
type Event struct {
	Type     EventType
	Flags    uint16
	Object   Handle
	Parent   Handle
	Conn     Handle
	UserData uint64
	Code     Code
	Status   uint32
	MetaLen  uint32
	DataLen  uint32
	Aux      uint64
}

// PayloadSize is the number of payload bytes that meta and data of these lengths occupy.
func PayloadSize(meta, data int) int { return DataOffset(meta) + data }

// DataOffset is where the data begins in a payload whose meta part has this length.
func DataOffset(meta int) int { return (meta + 7) &^ 7 }

// MaxPayload is the largest payload of one event: 64 KiB of data behind up to 64 KiB of meta.
const MaxPayload = 128 << 10

// A Class says what becomes of an event that the consumer leaves no room for.
type Class uint8

const (
	// Terminal events are never dropped and never wait: there is a bounded number of them for each object.
	Terminal Class = iota
	// Bulk events (requests, bodies) are never dropped; their producer waits for room, so that flow control reaches the peer.
	Bulk
	// Patient events (datagrams) fill only part of the consumer's queue. Beyond it the producer keeps them, a bounded number, until
	// Sink.Room says that it is worth another try, and tells with Sink.Lose which it has given up.
	Patient
	// Lossy events (log lines) fill only part of it, too; beyond it they are dropped and counted.
	Lossy
)

// A Record is room for one event's payload, possibly inside the ring itself. Fill Payload, then Commit or Abort, soon: whatever was
// reserved later waits behind it.
type Record struct {
	Payload []byte // at least as long as asked for
	Token   uint64 // the sink's own
}

// A Sink carries the events of a server's or a client's connections to one consumer. The engine calls it from many goroutines.
type Sink interface {
	// Issue gives obj a handle, or reports that there are too many objects.
	Issue(kind Kind, parent Handle, obj any) (Handle, bool)

	// Release makes a handle stale. The engine calls it once for each, after the object's terminal event was committed (or instead
	// of that event, for a request that the consumer gave up with ZIG_H3_SEND_FORGET). A committed terminal event needs no call
	// of its own order: Release happens before the consumer can see it only if called before Commit. It reports false when the
	// consumer wants to hear no more of the object, even if it has said so only just now and the engine does not know.
	Release(h Handle) (wanted bool)

	// Reserve makes room for an event with n bytes of payload, n <= MaxPayload. For Bulk it waits until there is room or done is
	// closed (nil: for ever); it reports false for Bulk when done was closed, for Lossy when the event was dropped, for Patient when
	// there is no room, and never for Terminal.
	Reserve(class Class, n int, done <-chan struct{}) (Record, bool)

	// Commit publishes a reserved record with its head. ev.MetaLen and ev.DataLen may describe less than was reserved.
	Commit(r Record, ev *Event)

	// Abort gives a reserved record back unpublished.
	Abort(r Record)

	// Room gives a channel that is closed once the consumer has made room for Patient events. Get it first, then look once more
	// whether there is some. It is nil where there never will be any.
	Room() <-chan struct{}

	// Stalled reports that the consumer has taken nothing for a while though there is no room left: it is asked before a connection is pinned
	// to it.
	Stalled() bool

	// Lose says that n events of type t were given up for want of room.
	Lose(t EventType, n uint64)

	// Drained says that n more bytes of a response's body, or of a stream of a session, have left the engine for QUIC. The sink
	// keeps the account of what a consumer may write, and emits WRITABLE.
	Drained(h Handle, n int)

	// IssueFor binds obj to a handle that the consumer's side has given out itself, for Session.OpenStream, Client.Fetch and Client.Connect. It
	// reports false when the handle is not one of those (any more).
	IssueFor(h Handle, obj any) bool

	// Datagrams says that a session, request or connection may queue as many more datagrams as returned says, and that the largest
	// may have limit bytes from now on. The first call, with all places, comes between Issue and the Commit of the event from which
	// on datagrams may be sent; objects without such a call may send none. Each SendDatagram takes one place, whatever becomes of
	// it. It is never called after Release.
	Datagrams(h Handle, limit, returned int)

	// Offered tells which protocols the peer of a session offers, between Issue and the Commit of SESSION_REQUEST. Without a call it
	// offers none.
	Offered(h Handle, protocols []string)

	// SessionStats brings the counters of a session up to date, at most every 100 ms. It may come after Release.
	SessionStats(h Handle, values *SessionStats)
}
