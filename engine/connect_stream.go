package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/quic-go/webtransport-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// Capsules of WebTransport (draft-ietf-webtrans-http3).
const (
	capsuleCloseSession = 0x2843
	capsuleDrainSession = 0x78ae
)

// A trackedStream is what an http3.Stream has inside; it is http3's own datagramStream.
type trackedStream interface {
	io.ReadWriteCloser
	CancelRead(quic.StreamErrorCode)
	CancelWrite(quic.StreamErrorCode)
	StreamID() quic.StreamID
	Context() context.Context
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	SetPriority(urgency int8, incremental bool)
	TryWriteAll([]byte) error
	SendDatagram(b []byte) error
	ReceiveDatagram(ctx context.Context) ([]byte, error)
	QUICStream() *quic.Stream
}

// A connectStream stands between a session of webtransport-go and its CONNECT stream, and does there what the library does not:
//   - it sees the peer's DRAIN capsule, which the library skips;
//   - it refuses a CLOSE capsule that is none (draft-ietf-webtrans-http3, 6), of which the library takes what it can, and what comes behind;
//   - it writes capsules of ours, never between the two halves of one of the library's frames;
//   - it closes in an order that browsers take: capsule, FIN, and nothing that cancels, of this stream or of the session's, until the
//     peer has ended its side, too. The library cancels at once, and QUIC sends a RESET_STREAM before the data of other streams, in one
//     packet with it even: Chromium then reports a lost connection instead of code and reason, and a page's streams fail for a network
//     error before the page hears that the session was closed.
type connectStream struct {
	trackedStream
	draining func() // the peer asks for the session's end
	stuck    func() // the peer takes no capsules

	reading sync.Mutex
	in      wire.FrameScanner // capsules: they are framed alike
	reason  []byte            // the CLOSE capsule as far as it has come
	ended   bool              // it has come
	readEnd bool              // the peer's side has ended
	bad     atomic.Bool       // the peer's CLOSE capsule, or what comes behind it

	mu      sync.Mutex
	out     wire.FrameScanner // what the library writes, in frames
	writing bool
	behind  int  // streams of the peer's that have ended while a write of the library's waited, less the writes since
	taken   bool // the library has a session for it
	closed  bool
	ending  bool   // awaitPeer has the peer's side
	pending []byte // frames of ours
}

// innerStream is the field of http3.Stream that holds the stream inside. It is not exported: Type nil says that this version of http3
// has none that a connectStream could be put into.
var innerStream = sync.OnceValue(func() (none reflect.StructField) {
	field, ok := reflect.TypeFor[http3.Stream]().FieldByName("datagramStream")
	if !ok || field.Type.Kind() != reflect.Interface || !reflect.TypeFor[*connectStream]().Implements(field.Type) {
		return none
	}
	return field
})

// interpose puts a connectStream into h. http3 hands out its stream as a struct, and has no other seam. Where false, h is as it was.
func interpose(h *http3.Stream, draining, stuck func()) (*connectStream, bool) {
	at := innerStream()
	if at.Type == nil {
		return nil, false
	}
	field := reflect.NewAt(at.Type, unsafe.Add(unsafe.Pointer(h), at.Offset)).Elem()
	inner, ok := field.Interface().(trackedStream)
	if !ok {
		return nil, false
	}
	x := &connectStream{trackedStream: inner, draining: draining, stuck: stuck}
	field.Set(reflect.ValueOf(x))
	return x, true
}

// Read gives the library what came in DATA frames, and looks for the capsule that it does not know.
func (x *connectStream) Read(p []byte) (int, error) {
	x.reading.Lock()
	defer x.reading.Unlock()
	n, err := x.trackedStream.Read(p)
	if !x.scan(p[:n]) {
		return 0, errBadClose
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		x.readEnd = true
	}
	return n, err
}

var errBadClose = errors.New("a CLOSE capsule that is none")

// scan looks at what came. It reports false when the library must not see it; what comes behind a CLOSE capsule the library does not look
// at. x.reading is held.
func (x *connectStream) scan(in []byte) bool {
	for len(in) > 0 {
		if x.ended {
			x.bad.Store(true)
			break
		}
		payload, rest, first, last, ok := x.in.Next(in)
		if !ok {
			break
		}
		in = rest
		switch x.in.Typ {
		case capsuleDrainSession:
			if first {
				x.draining()
			}
		case capsuleCloseSession:
			if !x.closes(payload, last) {
				x.bad.Store(true)
				return false
			}
		}
	}
	return true
}

const (
	closeCode   = 4    // bytes of the code in a CLOSE capsule
	closeReason = 1024 // most bytes of the reason behind it
)

// closes takes part of a CLOSE capsule, and reports whether it may be one. x.reading is held.
func (x *connectStream) closes(payload []byte, last bool) bool {
	if uint64(len(x.reason)+len(payload))+x.in.Left > closeCode+closeReason {
		return false
	}
	x.reason = append(x.reason, payload...)
	x.ended = last
	return !last || len(x.reason) >= closeCode && utf8.Valid(x.reason[closeCode:])
}

// failure is what ended the peer's side, once the library has stopped reading: it tells only words.
func (x *connectStream) failure() error {
	x.trackedStream.SetReadDeadline(past)
	_, err := x.trackedStream.Read(make([]byte, 1))
	return err
}

// between reports whether no capsule was cut off. It is for after the end of the peer's side.
func (x *connectStream) between() bool { return x.in.Between() }

// Write writes for the library. Behind the end of our side it writes nothing and does not fail: a failure would have the library cancel
// the session's streams, and a peer that was told to close has no use for what it had to say.
func (x *connectStream) Write(p []byte) (int, error) {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return len(p), nil
	}
	x.writing = true
	x.mu.Unlock()
	n, err := x.push(p)
	x.mu.Lock()
	x.writing = false
	x.behind = max(0, x.behind-1)
	x.track(p[:n])
	x.flush()
	x.mu.Unlock()
	return n, err
}

// capsuleWait is how long the peer may take nothing of a capsule of the library's. All others wait behind it, and only those of streams
// that end can be counted here.
var capsuleWait = 5 * time.Second

// push writes all of p; it tells that the peer takes nothing, once, and goes on waiting for what comes of that.
func (x *connectStream) push(p []byte) (n int, err error) {
	for {
		x.trackedStream.SetWriteDeadline(time.Now().Add(capsuleWait))
		m, err := x.trackedStream.Write(p[n:])
		n += m
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			x.trackedStream.SetWriteDeadline(time.Time{}) // TryWriteAll minds it too
			return n, err
		}
		if m == 0 {
			break
		}
	}
	x.trackedStream.SetWriteDeadline(time.Time{})
	x.stuck()
	m, err := x.trackedStream.Write(p[n:])
	return n + m, err
}

// maxBehind is how many capsules may wait for a peer that gives its CONNECT stream no credit. The library queues one for each stream of
// the peer's that ends, 4,096 at most, and then gives the session up with an error that says nothing of this.
const maxBehind = 1024

// streamEnded is told of the end of a stream of the session. It reports that the peer leaves too many capsules waiting.
func (x *connectStream) streamEnded() (tooMany bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.writing {
		x.behind++
	}
	return x.behind > maxBehind
}

// TryWriteAll writes for the library, which uses it for its own CLOSE capsule only.
func (x *connectStream) TryWriteAll(p []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return io.ErrClosedPipe
	}
	err := x.trackedStream.TryWriteAll(p)
	if err == nil {
		x.track(p)
	}
	return err
}

func (x *connectStream) track(p []byte) {
	for len(p) > 0 {
		_, rest, _, _, ok := x.out.Next(p)
		if !ok {
			return
		}
		p = rest
	}
}

// flush writes frames of ours that had to wait. x.mu is held.
func (x *connectStream) flush() bool {
	if len(x.pending) == 0 {
		return true
	}
	if x.writing || x.closed || !x.out.Between() || x.trackedStream.TryWriteAll(x.pending) != nil {
		return false
	}
	x.pending = nil
	return true
}

// drain asks the peer to end the session. It does not wait: where the library is writing, the capsule follows behind.
func (x *connectStream) drain() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pending = appendCapsule(x.pending, capsuleDrainSession, nil)
	x.flush()
}

const (
	// closeWait bounds how long a CLOSE capsule waits for the library to get out of the way, and for the peer's flow control.
	closeWait = 20 * time.Millisecond
	closeStep = time.Millisecond
)

// close sends the CLOSE capsule and the end of the stream. From then on nothing that the library does reaches the stream.
func (x *connectStream) close(code uint32, reason string) {
	payload := append([]byte{byte(code >> 24), byte(code >> 16), byte(code >> 8), byte(code)}, reason...)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return
	}
	x.pending = appendCapsule(x.pending, capsuleCloseSession, payload)
	for end := time.Now().Add(closeWait); !x.flush() && time.Now().Before(end); {
		x.mu.Unlock()
		time.Sleep(closeStep)
		x.mu.Lock()
	}
	x.closed = true
	if len(x.pending) > 0 {
		x.trackedStream.CancelWrite(webtransport.WTSessionGoneErrorCode)
		return
	}
	x.trackedStream.Close()
}

// CancelRead is the library's, when the session has ended: it stops reading. The stream is ended by release, later. Or the library has
// no room for a session yet, and is asked again.
func (x *connectStream) CancelRead(quic.StreamErrorCode) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.taken && !x.ending {
		x.trackedStream.SetReadDeadline(past)
	}
}

// belongs says that the library has made a session of the stream, which may be over already.
func (x *connectStream) belongs(session context.Context) {
	x.mu.Lock()
	x.taken = true
	x.mu.Unlock()
	if session.Err() != nil {
		x.CancelRead(webtransport.WTSessionGoneErrorCode)
	}
}

// CancelWrite is the library's, when the session has ended without a word of ours. The peer gets an end and no error, unless it went
// beyond its limits: the code that the library has for an end of the peer's, and for capsules that are none, is the same. Or the library
// has no room for a session yet, and is asked again.
func (x *connectStream) CancelWrite(code quic.StreamErrorCode) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !x.taken || x.closed:
	case x.bad.Load():
		x.closed = true
		x.trackedStream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeMessageError))
	case code == webtransport.WTFlowControlErrorCode || code == quic.StreamErrorCode(http3.ErrCodeExcessiveLoad):
		x.closed = true
		x.trackedStream.CancelWrite(code)
	default:
		x.closed = true
		x.trackedStream.Close()
	}
}

// Close ends our side, once.
func (x *connectStream) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	return x.trackedStream.Close()
}

// awaitPeer ends our side, where that is still to do, and waits for the peer's end: not for longer than linger, not when somebody is in
// a hurry, and not when the connection is done.
func (x *connectStream) awaitPeer(hurry context.Context) {
	x.Close()
	x.mu.Lock()
	x.ending = true
	x.trackedStream.SetReadDeadline(time.Now().Add(linger))
	x.mu.Unlock()
	stop := context.AfterFunc(hurry, func() { sink.Guard("connect stream", func() { x.trackedStream.SetReadDeadline(past) }) })
	defer stop()
	// The library may have stopped reading, after a CLOSE capsule; or it reads still, and sees the end.
	x.reading.Lock()
	defer x.reading.Unlock()
	if !x.readEnd {
		x.discard()
	}
}

// discard reads to the end of the peer's side, or to what should not be there. x.reading is held.
func (x *connectStream) discard() {
	buf := idleBuffers.Get().(*[idleRead]byte)
	defer idleBuffers.Put(buf)
	for !x.readEnd && !x.bad.Load() {
		n, err := x.trackedStream.Read(buf[:])
		x.scan(buf[:n])
		x.readEnd = err != nil
	}
}

// release does away with the stream, whose sending side has ended.
func (x *connectStream) release() {
	code := webtransport.WTSessionGoneErrorCode
	if x.bad.Load() {
		code = quic.StreamErrorCode(http3.ErrCodeMessageError)
	}
	x.trackedStream.CancelRead(code)
}

// appendCapsule appends a capsule in a DATA frame of its own.
func appendCapsule(dst []byte, typ uint64, payload []byte) []byte {
	capsule := quicvarint.Append(nil, typ)
	capsule = quicvarint.Append(capsule, uint64(len(payload)))
	capsule = append(capsule, payload...)
	return append(wire.AppendFrameHead(dst, wire.FrameData, uint64(len(capsule))), capsule...)
}
