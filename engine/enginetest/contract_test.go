package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"zigh3/engine/sink"
)

// Handles of the tables below.
const (
	hServer = sink.Handle(iota + 1)
	hConn
	hRequest
	hSession
	hStream // bidirectional, the peer's
	hUni    // the peer's
	hOurs   // bidirectional, ours
	hOurUni
	hNever // ours, and never there
)

// tell makes an event as the engine does.
func tell(typ sink.EventType, object, parent sink.Handle, changes ...func(e *Event)) Event {
	e := Event{Event: sink.Event{Type: typ, Object: object, Parent: parent, Conn: hConn}}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func counters(e *Event)               { meta(sink.SessionStatsSize)(e); flag(sink.FlagCounters)(e) }
func flag(f uint16) func(e *Event)    { return func(e *Event) { e.Flags |= f } }
func code(c sink.Code) func(e *Event) { return func(e *Event) { e.Code = c } }
func aux(n uint64) func(e *Event)     { return func(e *Event) { e.Aux = n } }
func kind(k uint32) func(e *Event)    { return func(e *Event) { e.Status = k } }
func data(s string) func(e *Event)    { return func(e *Event) { e.Data = []byte(s) } }
func meta(n int) func(e *Event)       { return func(e *Event) { e.Meta = make([]byte, n) } }
func user(n uint64) func(e *Event)    { return func(e *Event) { e.UserData = n } }
func on(c sink.Handle) func(e *Event) { return func(e *Event) { e.Conn = c } }

var (
	connOpened     = tell(sink.EventConnOpened, hConn, hServer)
	connClosed     = tell(sink.EventConnClosed, hConn, hServer, code(sink.ErrClosed), flag(sink.FlagRemote))
	request        = tell(sink.EventRequest, hRequest, hServer, data("ab"))
	streamClosed   = tell(sink.EventStreamClosed, hRequest, hServer)
	sessionRequest = tell(sink.EventSessionRequest, hSession, hServer)
	sessionOpened  = tell(sink.EventSessionOpened, hSession, hServer)
	draining       = tell(sink.EventSessionDraining, hSession, hServer)
	sessionClosed  = tell(sink.EventSessionClosed, hSession, hServer, counters, data("bye"), aux(7))
	opened         = tell(sink.EventStreamOpened, hStream, hSession, flag(sink.FlagRemote), aux(4))
	uniOpened      = tell(sink.EventStreamOpened, hUni, hSession, flag(sink.FlagRemote), kind(1), aux(6))
	oursOpened     = tell(sink.EventStreamOpened, hOurs, hSession, aux(1))
	ourUniOpened   = tell(sink.EventStreamOpened, hOurUni, hSession, kind(1), aux(3))
	serverStopped  = Event{Event: sink.Event{Type: sink.EventServerStopped, Object: hServer}}
)

func streamData(h sink.Handle, at uint64, s string, changes ...func(e *Event)) Event {
	return tell(sink.EventStreamData, h, hSession, append(changes, aux(at), data(s))...)
}
func streamReset(h sink.Handle) Event {
	return tell(sink.EventStreamReset, h, hSession, flag(sink.FlagRemote), aux(9))
}
func streamStopped(h sink.Handle) Event {
	return tell(sink.EventStreamStopped, h, hSession, flag(sink.FlagRemote), aux(9))
}
func flushed(h sink.Handle) Event { return tell(sink.EventWritable, h, hSession, flag(sink.FlagEnd)) }
func ended(h sink.Handle, c sink.Code) Event {
	return tell(sink.EventStreamEnded, h, hSession, code(c))
}
func atomic(h sink.Handle, c sink.Code) Event {
	return tell(sink.EventStreamAtomic, h, hSession, code(c), aux(5))
}
func dropped(h sink.Handle) Event {
	return tell(sink.EventDatagramsDropped, h, 0, code(sink.ErrTimeout), aux(1))
}

// hold gives what a contract says to events of which no handle but those of live is live.
func hold(live []sink.Handle, events ...Event) []string {
	var said []string
	m := NewContract(func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }, func(h sink.Handle) bool { return slices.Contains(live, h) })
	for i := range events {
		m.Hold(&events[i])
	}
	return said
}

var inSession = []Event{connOpened, sessionRequest, sessionOpened}

func TestContractTakesWhatIsPromised(t *testing.T) {
	events := slices.Concat(inSession, []Event{
		request, tell(sink.EventBody, hRequest, hServer, aux(2), data("cd")), tell(sink.EventBodyEnd, hRequest, hServer, aux(4)), dropped(hRequest), streamClosed,
		opened, streamData(hStream, 0, "abc"), streamData(hStream, 3, "d", flag(sink.FlagEnd)), flushed(hStream), ended(hStream, sink.OK),
		uniOpened, streamData(hUni, 0, "x"), streamReset(hUni), ended(hUni, sink.ErrReset),
		atomic(hOurs, sink.ErrWouldBlock), oursOpened, streamStopped(hOurs), streamData(hOurs, 0, "", flag(sink.FlagEnd)), ended(hOurs, sink.ErrReset),
		ourUniOpened, atomic(hOurUni, sink.OK), ended(hOurUni, sink.OK),
		ended(hNever, sink.ErrQueueFull), draining, dropped(hSession), tell(sink.EventSessionDatagram, hSession, hServer),
		sessionClosed, ended(20, sink.ErrClosed), connClosed, ended(21, sink.ErrClosed), serverStopped,
	})
	if said := hold(nil, events...); said != nil {
		t.Errorf("%q", said)
	}
}

func TestContractTellsOfEachBreach(t *testing.T) {
	for _, c := range []struct {
		name   string
		live   []sink.Handle
		events []Event
		want   string
	}{
		{"a connection twice", nil, []Event{connOpened, connOpened}, "connection 2 began twice"},
		{"a connection again", nil, []Event{connOpened, connClosed, connOpened}, "connection 2 began behind its end"},
		{"its end twice", nil, []Event{connOpened, connClosed, connClosed}, "event 7 of connection 2 behind its end"},
		{"its end and a live handle", []sink.Handle{hConn}, []Event{connOpened, connClosed}, "connection 2 ended, but its handle is live"},
		{"its end well", nil, []Event{connOpened, tell(sink.EventConnClosed, hConn, hServer)}, "CONN_CLOSED of 2 with code 0"},
		{"its end by nobody", nil, []Event{connOpened, tell(sink.EventConnClosed, hConn, hServer, code(sink.ErrIdle))}, "connection 2 was closed by this side, and the code is -505"},
		{"its end by both", nil, []Event{connOpened, tell(sink.EventConnClosed, hConn, hServer, code(sink.ErrShutdown), flag(sink.FlagRemote))}, "connection 2 was closed by the peer, and the code is -507"},
		{"its end before a request's", nil, []Event{connOpened, request, connClosed}, "connection 2 ended before its request 3"},
		{"its end before a session's", nil, slices.Concat(inSession, []Event{connClosed}), "connection 2 ended before its session 4"},
		{"a request without a connection", nil, []Event{request}, "request 3 on connection 2, which is not open"},
		{"a body at another place", nil, []Event{connOpened, request, tell(sink.EventBody, hRequest, hServer, aux(3), data("c"))}, "event 2 of request 3 at byte 3, not 2"},
		{"a body behind its end", nil, []Event{connOpened, request, tell(sink.EventBodyEnd, hRequest, hServer, aux(2)), tell(sink.EventBody, hRequest, hServer, aux(2))}, "event 2 of request 3 behind the end of its body"},
		{"a body behind the request", nil, []Event{connOpened, request, streamClosed, tell(sink.EventBody, hRequest, hServer, aux(2))}, "event 2 of request 3 behind its end"},
		{"a request aborted well", nil, []Event{connOpened, request, tell(sink.EventStreamClosed, hRequest, hServer, flag(sink.FlagAborted))}, "request 3 ended with code 0 and flags 0x4"},
		{"a request that failed and was not aborted", nil, []Event{connOpened, request, tell(sink.EventStreamClosed, hRequest, hServer, code(sink.ErrReset))}, "request 3 ended with code -504 and flags 0x0"},
		{"a session opened before it was asked for", nil, []Event{connOpened, sessionOpened}, "event 16 of session 4 before its begin"},
		{"a session opened twice", nil, slices.Concat(inSession, []Event{sessionOpened}), "session 4 was opened twice"},
		{"a session drains before it is open", nil, []Event{connOpened, sessionRequest, draining}, "session 4 drains, which was not opened"},
		{"a session drains twice", nil, slices.Concat(inSession, []Event{draining, draining}), "session 4 drains twice"},
		{"a session closed twice", nil, slices.Concat(inSession, []Event{sessionClosed, sessionClosed}), "event 18 of session 4 behind its end"},
		{"a session drains behind its end", nil, slices.Concat(inSession, []Event{sessionClosed, draining}), "event 17 of session 4 behind its end"},
		{"a datagram behind a session's end", nil, slices.Concat(inSession, []Event{sessionClosed, tell(sink.EventSessionDatagram, hSession, hServer)}), "event 19 of session 4 behind its end"},
		{"a datagram before a session is open", nil, []Event{connOpened, sessionRequest, tell(sink.EventSessionDatagram, hSession, hServer)}, "a datagram of session 4, which was not opened"},
		{"a session's handle is live", []sink.Handle{hSession}, slices.Concat(inSession, []Event{sessionClosed}), "session 4 ended, but its handle is live"},
		{"a session of another connection", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionDraining, hSession, hServer, on(8))}), "event 17 of session 4 is of connection 8, not 2"},
		{"a session with other user data", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionDraining, hSession, hServer, user(8))}), "event 17 of session 4 has user data 8, not 0"},
		{"a session's code", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionClosed, hSession, hServer, code(sink.ErrIO), counters)}), "SESSION_CLOSED of 4 with code -17"},
		{"a session that was open and was not negotiated", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionClosed, hSession, hServer, code(sink.ErrNotNegotiated), counters)}), "session 4 was open, and ended with code -421"},
		{"a session without counters", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionClosed, hSession, hServer, flag(sink.FlagCounters))}), fmt.Sprintf("session 4 ended with 0 bytes of counters, not %d", sink.SessionStatsSize)},
		{"a session whose counters are not called that", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionClosed, hSession, hServer, meta(sink.SessionStatsSize))}), "session 4 ended with flags 0x0, opened: true"},
		{"a session without counters that says it had some", nil, []Event{connOpened, sessionRequest, tell(sink.EventSessionClosed, hSession, hServer, code(sink.ErrCancelled), flag(sink.FlagCounters))}, "session 4 ended with flags 0x10, opened: false"},
		{"a reason that is no text", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionClosed, hSession, hServer, counters, data("\xff"))}), `session 4 ended with close code 0x0 and reason "\xff"`},
		{"a close code beyond 32 bits", nil, slices.Concat(inSession, []Event{tell(sink.EventSessionClosed, hSession, hServer, counters, aux(1<<32))}), `session 4 ended with close code 0x100000000 and reason ""`},
		{"a session's end before its stream's", nil, slices.Concat(inSession, []Event{opened, sessionClosed}), "session 4 ended before its stream 5"},
		{"a stream before its session is open", nil, []Event{connOpened, sessionRequest, opened}, "stream 5 of session 4, which is not open"},
		{"a stream behind its session's end", nil, slices.Concat(inSession, []Event{sessionClosed, opened}), "stream 5 of session 4, which is not open"},
		{"a stream opened twice", nil, slices.Concat(inSession, []Event{opened, opened}), "stream 5 began twice"},
		{"a stream of the wrong kind", nil, slices.Concat(inSession, []Event{tell(sink.EventStreamOpened, hStream, hSession, aux(2))}), "stream 5 of kind 0 has QUIC's id 2"},
		{"one id for two streams", nil, slices.Concat(inSession, []Event{opened, tell(sink.EventStreamOpened, hOurs, hSession, aux(4))}), "two streams with QUIC's id 4"},
		{"data before the begin", nil, slices.Concat(inSession, []Event{streamData(hOurs, 0, "x"), oursOpened}), "event 21 of stream 7 before its begin"},
		{"a reset before the begin", nil, slices.Concat(inSession, []Event{streamReset(hOurs)}), "event 22 of stream 7 before its begin"},
		{"a stop before the begin", nil, slices.Concat(inSession, []Event{streamStopped(hOurs)}), "event 23 of stream 7 before its begin"},
		{"data at another place", nil, slices.Concat(inSession, []Event{opened, streamData(hStream, 0, "ab"), streamData(hStream, 1, "c")}), "data of stream 5 at byte 1, not 2"},
		{"too much data", nil, slices.Concat(inSession, []Event{opened, streamData(hStream, 0, string(bytes.Repeat([]byte("x"), 64<<10+1)))}), "65537 bytes of stream 5 in one"},
		{"data behind END", nil, slices.Concat(inSession, []Event{opened, streamData(hStream, 0, "", flag(sink.FlagEnd)), streamData(hStream, 0, "x")}), "event 21 of stream 5 behind END"},
		{"a reset behind END", nil, slices.Concat(inSession, []Event{opened, streamData(hStream, 0, "", flag(sink.FlagEnd)), streamReset(hStream)}), "event 22 of stream 5 behind END"},
		{"data behind a reset", nil, slices.Concat(inSession, []Event{opened, streamReset(hStream), streamData(hStream, 0, "x")}), "event 21 of stream 5 behind STREAM_RESET"},
		{"reset twice", nil, slices.Concat(inSession, []Event{opened, streamReset(hStream), streamReset(hStream)}), "event 22 of stream 5 behind STREAM_RESET"},
		{"stopped twice", nil, slices.Concat(inSession, []Event{opened, streamStopped(hStream), streamStopped(hStream)}), "event 23 of stream 5 behind STREAM_STOPPED"},
		{"stopped behind our end", nil, slices.Concat(inSession, []Event{opened, flushed(hStream), streamStopped(hStream)}), "event 23 of stream 5 behind WRITABLE with END"},
		{"a code beyond 32 bits", nil, slices.Concat(inSession, []Event{opened, tell(sink.EventStreamReset, hStream, hSession, flag(sink.FlagRemote), aux(1<<32))}), "event 22 of stream 5 with code 0x100000000 and flags 0x2"},
		{"a reset by nobody", nil, slices.Concat(inSession, []Event{opened, tell(sink.EventStreamReset, hStream, hSession)}), "event 22 of stream 5 with code 0x0 and flags 0x0"},
		{"data on what only we send on", nil, slices.Concat(inSession, []Event{ourUniOpened, streamData(hOurUni, 0, "x")}), "event 21 of stream 8, which the peer sends nothing on"},
		{"a stop of what only the peer sends on", nil, slices.Concat(inSession, []Event{uniOpened, streamStopped(hUni)}), "event 23 of stream 6, which only the peer sends on"},
		{"an atomic write on it", nil, slices.Concat(inSession, []Event{uniOpened, atomic(hUni, sink.OK)}), "an atomic write on stream 6, which only the peer sends on"},
		{"an atomic write behind the end", nil, slices.Concat(inSession, []Event{ended(hNever, sink.ErrCancelled), atomic(hNever, sink.ErrClosed)}), "event 26 of stream 9 behind its end"},
		{"an atomic write's code", nil, slices.Concat(inSession, []Event{atomic(hOurs, sink.ErrIO)}), "STREAM_ATOMIC of 7 with code -17"},
		{"a stream of another session", nil, slices.Concat(inSession, []Event{opened, tell(sink.EventStreamData, hStream, 8)}), "event 21 of stream 5 is of session 8, not 4"},
		{"a stream's end twice", nil, slices.Concat(inSession, []Event{opened, ended(hStream, sink.ErrClosed), ended(hStream, sink.ErrClosed)}), "event 24 of stream 5 behind its end"},
		{"data behind it", nil, slices.Concat(inSession, []Event{opened, ended(hStream, sink.ErrClosed), streamData(hStream, 0, "x")}), "event 21 of stream 5 behind its end"},
		{"a stream's handle is live", []sink.Handle{hStream}, slices.Concat(inSession, []Event{opened, ended(hStream, sink.ErrClosed)}), "stream 5 ended, but its handle is live"},
		{"a stream that ended well and was reset", nil, slices.Concat(inSession, []Event{uniOpened, streamReset(hUni), ended(hUni, sink.OK)}), "stream 6 ended well, but reset: true, stopped: false, all of it came: false"},
		{"a stream that ended well without its end", nil, slices.Concat(inSession, []Event{uniOpened, ended(hUni, sink.OK)}), "stream 6 ended well, but reset: false, stopped: false, all of it came: false"},
		{"a stream that ended for no reset", nil, slices.Concat(inSession, []Event{opened, ended(hStream, sink.ErrReset)}), "stream 5 ended for a reset that nobody was told of"},
		{"a stream's code", nil, slices.Concat(inSession, []Event{opened, ended(hStream, sink.ErrQueueFull)}), "STREAM_ENDED of 5 with code -429"},
		{"a stream that was never there and ended well", nil, slices.Concat(inSession, []Event{ended(hNever, sink.OK)}), "stream 9 was never opened and ended with code 0"},
		{"one that was never there behind its session", nil, slices.Concat(inSession, []Event{sessionClosed, ended(hNever, sink.ErrCancelled)}), "stream 9 of session 4, which is not open, ended with code -499"},
		{"datagrams of nothing", nil, []Event{connOpened, dropped(hSession)}, "datagrams of 4 were dropped, which is not open"},
		{"a datagram of a request without", nil, []Event{connOpened, tell(sink.EventH3Datagram, hRequest, hServer)}, "event 14 of request 3 before its begin"},
		{"a datagram of another kind", nil, []Event{connOpened, request, tell(sink.EventSessionDatagram, hRequest, hServer)}, "event 19 of session 3, which is a request"},
		{"a server that leaves something", nil, []Event{connOpened, serverStopped}, "the server has stopped, and connection 2 has no end"},
		{"a server's code", nil, []Event{tell(sink.EventServerStopped, hServer, 0, code(sink.ErrReset))}, "SERVER_STOPPED with code -504"},
	} {
		if said := hold(c.live, c.events...); len(said) != 1 || said[0] != c.want {
			t.Errorf("%s: %q, want %q", c.name, strings.Join(said, "; "), c.want)
		}
	}
}

// What the consumer has forgotten has no end, and what was queued by then may still come.
func TestContractForgets(t *testing.T) {
	m := NewContract(t.Errorf, func(sink.Handle) bool { return false })
	for _, e := range []Event{connOpened, request} {
		m.Hold(&e)
	}
	m.Forget(hRequest)
	for _, e := range []Event{tell(sink.EventBody, hRequest, hServer, aux(2), data("c")), dropped(hRequest), connClosed} {
		m.Hold(&e)
	}
}
