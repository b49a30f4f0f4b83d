package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// patience bounds a wait for something that must come; it is never reached unless a test fails.
const patience = 10 * time.Second

// A conformanceSink is a consumer in memory: one goroutine answers every request as soon as it is complete.
type conformanceSink struct {
	mu      sync.Mutex
	more    sync.Cond
	objects map[Handle]any
	last    Handle
	events  []conformanceEvent
	closed  bool
	bodies  map[Handle][]byte
}

type conformanceEvent struct {
	Event
	meta, data []byte
}

func newConformanceSink() *conformanceSink {
	s := &conformanceSink{objects: map[Handle]any{}, bodies: map[Handle][]byte{}}
	s.more.L = &s.mu
	return s
}

func (s *conformanceSink) Issue(_ Kind, _ Handle, obj any) (Handle, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.objects[s.last] = obj
	return s.last, true
}

func (s *conformanceSink) Release(h Handle) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, h)
	return true
}

func (s *conformanceSink) Reserve(_ Class, n int, _ <-chan struct{}) (Record, bool) {
	return Record{Payload: make([]byte, n)}, true
}

func (s *conformanceSink) Commit(r Record, ev *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := DataOffset(int(ev.MetaLen))
	e := conformanceEvent{Event: *ev, meta: r.Payload[:ev.MetaLen]}
	if ev.DataLen > 0 {
		e.data = r.Payload[at : at+int(ev.DataLen)]
	}
	s.events = append(s.events, e)
	s.more.Broadcast()
}

func (s *conformanceSink) Abort(Record) {}

func (s *conformanceSink) Room() <-chan struct{} { return nil } // there always is

func (s *conformanceSink) Lose(EventType, uint64) {}

func (s *conformanceSink) Drained(Handle, int) {}

func (s *conformanceSink) IssueFor(Handle, any) bool { return false }

func (s *conformanceSink) Datagrams(Handle, int, int) {}

func (s *conformanceSink) Offered(Handle, []string) {}

func (s *conformanceSink) SessionStats(Handle, *SessionStats) {}

// react is the reactor.
func (s *conformanceSink) react() {
	for {
		s.mu.Lock()
		for len(s.events) == 0 && !s.closed {
			s.more.Wait()
		}
		if len(s.events) == 0 {
			s.mu.Unlock()
			return
		}
		e := s.events[0]
		s.events = s.events[1:]
		request, _ := s.objects[e.Object].(*Request)
		s.mu.Unlock()
		if request == nil {
			continue
		}
		switch e.Type {
		case EventRequest:
			s.bodies[e.Object] = e.data
			if e.Flags&FlagEnd != 0 {
				s.answer(e.Object, request, nil)
			}
		case EventBody:
			s.bodies[e.Object] = append(s.bodies[e.Object], e.data...)
			request.Consumed(uint64(len(e.data)))
		case EventBodyEnd:
			s.answer(e.Object, request, e.meta)
		case EventStreamClosed:
			delete(s.bodies, e.Object)
		}
	}
}

// answer sends the body back, and the trailers as headers.
func (s *conformanceSink) answer(h Handle, request *Request, trailers []byte) {
	request.Send(200, trailers, Chunk{Bytes: s.bodies[h]}, false)
	delete(s.bodies, h)
}

func (s *conformanceSink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}

// startConformanceServer runs a server for one test and gives its address.
func startConformanceServer(t testing.TB, options string) string {
	t.Helper()
	return addressOf(conformanceServer(t, options))
}

func addressOf(s *Server) string { return "127.0.0.1:" + strconv.Itoa(int(s.Port())) }

func conformanceServer(t testing.TB, options string) *Server {
	t.Helper()
	o, err := ParseOptions("127.0.0.1", 0, "", "", []byte(options))
	if err != nil {
		t.Fatal(err)
	}
	sink := newConformanceSink()
	server, err := NewServer(o, 1<<40, []Sink{sink}, new(Stats))
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range [][2]string{{"", "/"}, {"", "/echo"}, {"GET", "/get"}} {
		if _, err := server.Route(route[0], route[1], 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	prepare(t, server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		sink.react()
	}()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Free()
		<-server.Done()
		sink.close()
		<-done
	})
	return server
}

// A rawClient speaks to a server with frames made by hand.
type rawClient struct {
	t    testing.TB
	conn *quic.Conn
}

// dialRaw connects, without opening any stream.
func dialRaw(t testing.TB, addr string) *rawClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "localhost"},
		&quic.Config{MaxIncomingUniStreams: 10, EnableDatagrams: secondKind})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return &rawClient{t, conn}
}

// dialHTTP connects, and opens the control stream with empty SETTINGS, as every client does.
func dialHTTP(t testing.TB, addr string) (*rawClient, *quic.SendStream) {
	t.Helper()
	c := dialRaw(t, addr)
	return c, c.uni(append([]byte{0}, frame(frameSettings)...))
}

// uni opens a unidirectional stream that begins with p.
func (c *rawClient) uni(p []byte) *quic.SendStream {
	c.t.Helper()
	s, err := c.conn.OpenUniStream()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := s.Write(p); err != nil && c.conn.Context().Err() == nil {
		c.t.Fatal(err)
	}
	return s
}

// open opens a request stream that begins with p; end closes it behind.
func (c *rawClient) open(p []byte, end bool) *quic.Stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = s.SetReadDeadline(time.Now().Add(patience))
	_, _ = s.Write(p) // like Close, it fails where the server has seen enough already and stopped the stream
	if end {
		_ = s.Close()
	}
	return s
}

// answer is what came back on a stream in words that a test compares: "200 [name value]body", and how it ended if it did not end well.
func (c *rawClient) answer(s *quic.Stream) string {
	p, err := io.ReadAll(s)
	text := c.parse(p)
	var reset *quic.StreamError
	switch {
	case err == nil:
		return text
	case errors.As(err, &reset):
		if text != "" {
			text += ", "
		}
		return text + "reset " + codeName(uint64(reset.ErrorCode))
	}
	return c.closed()
}

// parse reads a response.
func (c *rawClient) parse(p []byte) string {
	var text string
	for sections := 0; len(p) > 0; {
		typ, n, err := quicvarint.Parse(p)
		if err != nil {
			return text + " cut"
		}
		length, m, err := quicvarint.Parse(p[n:])
		if err != nil || uint64(len(p)-n-m) < length {
			return text + " cut"
		}
		payload := p[n+m : n+m+int(length)]
		p = p[n+m+int(length):]
		switch typ {
		case frameHeaders:
			fields := qpackFields(c.t, payload)
			if sections++; sections == 1 {
				text = fields[1] + " "
				fields = fields[2:]
			}
			for i := 0; i < len(fields); i += 2 {
				if fields[i] != "date" && fields[i] != "content-length" {
					text += "[" + fields[i] + " " + fields[i+1] + "]"
				}
			}
		case frameData:
			text += string(payload)
		default:
			text += fmt.Sprintf("frame %#x ", typ)
		}
	}
	if n := len(text); n > 0 && text[n-1] == ' ' {
		text = text[:n-1]
	}
	return text
}

// closed waits for the server to close the connection and says with which code.
func (c *rawClient) closed() string {
	select {
	case <-c.conn.Context().Done():
	case <-time.After(patience):
		return "the connection stays open"
	}
	var app *quic.ApplicationError
	if err := context.Cause(c.conn.Context()); !errors.As(err, &app) || !app.Remote {
		return "connection ends: " + err.Error()
	}
	return "connection " + codeName(uint64(app.ErrorCode))
}

// lives asks a plain request, which shows that the connection does.
func (c *rawClient) lives() {
	c.t.Helper()
	if got := c.answer(c.open(headers(get...), true)); got != "200" {
		c.t.Errorf("a plain request afterwards: %q", got)
	}
}

func codeName(code uint64) string {
	switch code {
	case 0x10d:
		return "H3_REQUEST_INCOMPLETE" // http3 writes its words the other way round
	case 0x201:
		return "QPACK_ENCODER_STREAM_ERROR"
	case 0x202:
		return "QPACK_DECODER_STREAM_ERROR"
	}
	return http3.ErrCode(code).String()
}

// frame makes a frame of a type and the parts of its payload: []byte, string, or numbers as variable-length integers.
func frame(typ uint64, parts ...any) []byte {
	payload := varints(parts...)
	return append(appendFrameHead(nil, typ, uint64(len(payload))), payload...)
}

func varints(parts ...any) []byte {
	var p []byte
	for _, part := range parts {
		switch v := part.(type) {
		case []byte:
			p = append(p, v...)
		case string:
			p = append(p, v...)
		case int:
			p = quicvarint.Append(p, uint64(v))
		default:
			panic(fmt.Sprintf("varints knows nothing of %T", part))
		}
	}
	return p
}

// spelledOut is the same frame with its type and length in eight bytes each: shorter ones would do (RFC 9000, 16).
func spelledOut(f []byte) []byte {
	typ, n, _ := quicvarint.Parse(f)
	length, m, _ := quicvarint.Parse(f[n:])
	return append(quicvarint.AppendWithLen(quicvarint.AppendWithLen(nil, typ, 8), length, 8), f[n+m:]...)
}

// headers makes a HEADERS frame of fields: name, value, name, value.
func headers(fields ...string) []byte {
	return frame(frameHeaders, encodeSection(fields...))
}

func post(path string, fields ...string) []byte {
	return headers(append([]string{":method", "POST", ":scheme", "https", ":authority", "h", ":path", path}, fields...)...)
}

func join(parts ...[]byte) []byte {
	var p []byte
	for _, part := range parts {
		p = append(p, part...)
	}
	return p
}
