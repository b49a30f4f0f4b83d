package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// unanswered counts the bytes of bodies that a consumer has and has not answered.
type unanswered struct {
	mu        sync.Mutex
	now, most int
	of        map[sink.Handle]int
}

func (u *unanswered) note(e event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.of[e.Object] += len(e.Data)
	u.now += len(e.Data)
	u.most = max(u.most, u.now)
}

func (u *unanswered) answered(h sink.Handle) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now -= u.of[h]
	delete(u.of, h)
}

// 24 MiB of uploads come at once, of which a server may hold 1 MiB: all are answered, whether it knows their lengths or not, and once more.
// Each has a connection of its own: see TestN15_UploadsThatBlockEachOther.
func TestN15_ManyUploadsAtOnce(t *testing.T) {
	const size, budget = 96 << 10, 1 << 20
	collecting := collect(false)
	held := unanswered{of: map[sink.Handle]int{}}
	f := serve(t, fmt.Sprintf(`{"max_request_body_size": %d, "max_buffered_body_bytes": %d, "body_timeout_ms": 60000}`, size, budget), route.Buffered, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest, sink.EventBody:
			held.note(e)
		}
		if e.Type == sink.EventBodyEnd {
			held.answered(e.Object)
		}
		collecting(c, e)
	})
	body := pattern(size)
	want := fmt.Sprintf("%d %x false", size, sha256.Sum256(body))
	clients := make([]*http.Client, many(48, 256)) // four times what there is room for
	for i := range clients {
		clients[i] = &http.Client{Transport: enginetest.Dial(t, f.addr, enginetest.Options{Datagrams: offersDatagram})}
	}
	for burst := range 2 {
		var uploads sync.WaitGroup
		for n, client := range clients {
			uploads.Go(func() {
				var in io.Reader = bytes.NewReader(body)
				if n%2 == 0 {
					in = struct{ io.Reader }{in}
				}
				resp, err := client.Post(f.url("/"), "", in)
				if err != nil {
					t.Error(err)
					return
				}
				if got := read(t, resp); resp.StatusCode != 200 || got != want {
					t.Errorf("burst %d: %d %q", burst, resp.StatusCode, got)
				}
			})
		}
		uploads.Wait()
		f.Await(func() {}) // the last answer is given
		eventually(t, "everything given back", func() bool { used, _ := f.server.bodies.used(); return used == 0 })
		f.server.bodies.unused(t)
	}
	if held.most > budget {
		t.Errorf("%d bytes were held at once", held.most)
	}
}

// A crowdedServer holds a body that was not answered, so that there is room for 300 KiB more.
type crowdedServer struct {
	*fixture
	client *enginetest.Client
	first  *enginetest.RequestStream // of the body that is held
	begun  chan event                // of the requests behind it
	closed chan event
	hold   sink.Handle
}

const crowdedRoom = 300 << 10

func serveCrowded(t *testing.T, options string) *crowdedServer {
	t.Helper()
	s := &crowdedServer{begun: make(chan event, 16), closed: make(chan event, 16)}
	whole := make(chan event, 1)
	left := map[sink.Handle]bool{} // without an answer
	s.fixture = serve(t, `{"max_request_body_size": 1048576, "max_buffered_body_bytes": 1048576`+options+`}`, route.Buffered, func(c *consumer, e event) {
		switch {
		case e.Type == sink.EventRequest:
			s.begun <- e
			left[e.Object] = field(e.Meta, "left") != ""
			if e.Flags&sink.FlagEnd != 0 {
				c.send(e, 200, "at once")
			}
		case e.Type == sink.EventBodyEnd && len(whole) == 0 && s.hold == 0:
			s.hold = e.Object
			whole <- e
		case e.Type == sink.EventBodyEnd && !left[e.Object]:
			c.send(e, 200, "in parts")
		case e.Type == sink.EventStreamClosed && e.Object != s.hold:
			s.closed <- e
		}
	})
	s.client = enginetest.Dial(t, s.addr, enginetest.Options{})
	s.first = s.upload(s.client, 1<<20-crowdedRoom)
	s.first.Close()
	within(t, "the first request", s.begun)
	within(t, "the end of its body", whole)
	if used, _ := s.server.bodies.used(); used != 1<<20-crowdedRoom {
		t.Fatalf("%d bytes are used", used)
	}
	return s
}

// upload asks, and sends n bytes of a body that does not end.
func (s *crowdedServer) upload(c *enginetest.Client, n int, fields ...string) *enginetest.RequestStream {
	s.t.Helper()
	r := c.OpenRequest()
	if err := r.SendRequest("POST", "/", fields...); err != nil {
		s.t.Fatal(err)
	}
	if n > 0 {
		if err := r.WriteRaw(frame(wire.FrameData, pattern(n))); err != nil {
			s.t.Fatal(err)
		}
	}
	return r
}

// answer answers the body that is held.
func (s *crowdedServer) answer() {
	s.Await(func() { s.send(event{Event: sink.Event{Object: s.hold}}, 200, "held") })
}

// waits waits until n bodies wait for room.
func (s *crowdedServer) waits(n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d bodies that wait", n), func() bool { _, waits := s.server.bodies.used(); return waits == n })
}

func (s *crowdedServer) empty() {
	s.t.Helper()
	eventually(s.t, "everything given back", func() bool { used, waits := s.server.bodies.used(); return used == 0 && waits == 0 })
	s.server.bodies.unused(s.t)
}

func answerOf(t *testing.T, r *enginetest.RequestStream) string {
	t.Helper()
	r.SetReadDeadline(time.Now().Add(patience))
	resp, err := r.ReadResponse()
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(r)
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.Status, body) + fmt.Sprint(map[bool]any{true: "", false: err}[err == nil]))
}

func TestN15_ABodyThatWaitsGoesOn(t *testing.T) {
	withAndWithoutDatagram(t, testN15_ABodyThatWaitsGoesOn)
}

func testN15_ABodyThatWaitsGoesOn(t *testing.T) {
	s := serveCrowded(t, "")
	large := s.upload(s.client, 500<<10)
	large.Close()
	within(t, "the second request", s.begun)
	s.waits(1)
	small := s.upload(s.client, 100) // it is there as a whole, and there is no room for it before the other
	small.Close()
	s.waits(2)
	s.answer()
	if a := answerOf(t, large); a != "200 in parts" {
		t.Error(a)
	}
	if a := answerOf(t, small); a != "200 at once" {
		t.Error(a)
	}
	if a := answerOf(t, s.first); a != "200 held" {
		t.Error(a)
	}
	s.empty()
}

func TestN15_ABodyThatWaitsTooLongGets503(t *testing.T) {
	withAndWithoutDatagram(t, testN15_ABodyThatWaitsTooLongGets503)
}

func testN15_ABodyThatWaitsTooLongGets503(t *testing.T) {
	s := serveCrowded(t, `, "body_timeout_ms": 1500`)
	large := s.upload(s.client, 500<<10)
	e := within(t, "the second request", s.begun)
	s.waits(1)
	if a := answerOf(t, large); a != "503" {
		t.Error(a)
	}
	if c := within(t, "its end", s.closed); c.Object != e.Object || c.Status != 503 || c.Code != sink.ErrLimit || c.Flags != sink.FlagAborted {
		t.Errorf("ended with %+v", c.Event)
	}
	if used, waits := s.server.bodies.used(); used != 1<<20-crowdedRoom || waits != 0 {
		t.Errorf("%d bytes are used, %d wait", used, waits)
	}
	// There is no room at all: the consumer hears of none.
	length := fmt.Sprint(crowdedRoom)
	room := s.upload(s.client, crowdedRoom, "content-length", length)
	room.Close()
	if a := answerOf(t, room); a != "200 in parts" {
		t.Error(a)
	}
	within(t, "the third request", s.begun)
	full := s.upload(s.client, crowdedRoom, "content-length", length, "left", "so")
	full.Close()
	within(t, "the fourth request", s.begun)
	eventually(t, "all room taken", func() bool { used, _ := s.server.bodies.used(); return used == 1<<20 })
	small, late := s.upload(s.client, 100), s.upload(s.client, 100)
	small.Close()
	for _, r := range []*enginetest.RequestStream{small, late} {
		if a := answerOf(t, r); a != "503" {
			t.Error(a)
		}
	}
	if len(s.begun) > 0 {
		t.Errorf("%+v", (<-s.begun).Event)
	}
	full.CancelRead(uint64(http3.ErrCodeRequestCanceled))
	s.answer()
	s.empty()
}

// However a request ends whose body waits for room: it gives back what it has.
func TestN15_ARequestThatEndsWhileItsBodyWaits(t *testing.T) {
	withAndWithoutDatagram(t, testN15_ARequestThatEndsWhileItsBodyWaits)
}

func testN15_ARequestThatEndsWhileItsBodyWaits(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(s *crowdedServer, r *enginetest.RequestStream, e event)
		code sink.Code
	}{
		"reset by the peer": {func(_ *crowdedServer, r *enginetest.RequestStream, _ event) {
			r.CancelWrite(uint64(http3.ErrCodeRequestCanceled))
		}, sink.ErrReset},
		"its connection closed": {func(_ *crowdedServer, r *enginetest.RequestStream, _ event) { r.Client().Close() }, sink.ErrClosed},
		"reset by the consumer": {func(s *crowdedServer, _ *enginetest.RequestStream, e event) {
			s.Do(func() { s.request(e.Object).Reset(uint64(http3.ErrCodeRequestRejected)) })
		}, sink.ErrCancelled},
		"answered":          {func(s *crowdedServer, _ *enginetest.RequestStream, e event) { s.Do(func() { s.send(e, 200, "") }) }, sink.OK},
		"the server's stop": {func(s *crowdedServer, _ *enginetest.RequestStream, e event) { s.server.Stop(0) }, sink.ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveCrowded(t, "")
			r := s.upload(enginetest.Dial(t, s.addr, enginetest.Options{}), 500<<10)
			e := within(t, "the second request", s.begun)
			s.waits(1)
			c.end(s, r, e)
			if closed := within(t, "its end", s.closed); closed.Object != e.Object || closed.Code != c.code {
				t.Errorf("ended with %+v", closed.Event)
			}
			if c.code != sink.ErrShutdown {
				if used, waits := s.server.bodies.used(); used != 1<<20-crowdedRoom || waits != 0 {
					t.Errorf("%d bytes are used, %d wait", used, waits)
				}
				s.answer()
			}
			s.empty()
		})
	}
}

// A request that the consumer has not heard of, since nothing of its body has room, ends with its peer.
func TestN15_ABodyThatIsGivenUpBeforeThereIsRoom(t *testing.T) {
	withAndWithoutDatagram(t, testN15_ABodyThatIsGivenUpBeforeThereIsRoom)
}

func testN15_ABodyThatIsGivenUpBeforeThereIsRoom(t *testing.T) {
	s := serveCrowded(t, "")
	full := s.upload(s.client, crowdedRoom-1, "content-length", fmt.Sprint(crowdedRoom))
	within(t, "the second request", s.begun)
	eventually(t, "all room taken", func() bool { used, _ := s.server.bodies.used(); return used == 1<<20-1 })
	gone := s.upload(s.client, 1000)
	other := enginetest.Dial(t, s.addr, enginetest.Options{})
	lost := s.upload(other, 1000)
	lost.Close() // its end is no reset: it still waits
	s.waits(2)
	gone.CancelWrite(uint64(http3.ErrCodeRequestCanceled))
	s.waits(1)
	eventually(t, "a reset counted", func() bool { return s.stats[sink.StatRequestsReset].Load() == 1 })
	other.Close()
	s.waits(0)
	if len(s.begun) > 0 {
		t.Errorf("%+v", (<-s.begun).Event)
	}
	full.CancelWrite(uint64(http3.ErrCodeRequestCanceled))
	s.answer()
	s.empty()
}

// What a peer leaves unread of its answer does not keep the room of the body that was answered.
func TestN15_RoomIsGivenBackWithTheAnswer(t *testing.T) {
	f := serve(t, `{"max_request_body_size": 1048576, "max_buffered_body_bytes": 1048576}`, route.Buffered, func(c *consumer, e event) {
		if e.Type == sink.EventBodyEnd || e.Flags&sink.FlagEnd != 0 && e.Type == sink.EventRequest {
			c.request(e.Object).Send(200, nil, sink.Chunk{Bytes: pattern(1 << 20)}, false)
		}
	})
	client := enginetest.Dial(t, f.addr, enginetest.Options{StreamWindow: 4096})
	for range 3 {
		for _, n := range []int{900 << 10, 1000} { // in parts, and at once
			r := client.OpenRequest()
			if err := r.WriteRaw(join(post("/"), frame(wire.FrameData, pattern(n)))); err != nil {
				t.Fatal(err)
			}
			r.Close()
			r.SetReadDeadline(time.Now().Add(patience))
			if resp, err := r.ReadResponse(); err != nil || resp.Status != http.StatusOK {
				t.Fatal(resp, err)
			}
		}
	}
	if used, _ := f.server.bodies.used(); used != 0 {
		t.Errorf("%d bytes are used", used)
	}
}

// Uploads of one connection that wait for room lie in its window. When nothing else has room there, the newest are refused, so that one that has
// begun comes to its end, and the others behind it to theirs.
func TestN15_UploadsThatBlockEachOther(t *testing.T) {
	withAndWithoutDatagram(t, testN15_UploadsThatBlockEachOther)
}

func testN15_UploadsThatBlockEachOther(t *testing.T) {
	const size = 1 << 20
	f := serve(t, `{"max_request_body_size": 1048576, "max_buffered_body_bytes": 1048576}`, route.Buffered, collect(false))
	client := enginetest.Dial(t, f.addr, enginetest.Options{})
	var requests []*enginetest.RequestStream
	var sending sync.WaitGroup
	send := func(r *enginetest.RequestStream, b []byte) {
		sending.Go(func() {
			// The server stops those that it refuses.
			if r.WriteRaw(b) == nil {
				r.Close()
			}
		})
	}
	body := pattern(size)
	for i := range 3 {
		r := client.OpenRequest()
		requests = append(requests, r)
		r.SendRequest("POST", "/")
		if i == 0 { // it begins, and then has to wait for the others
			r.Write(body[:1000])
			eventually(t, "the begin", func() bool { used, _ := f.server.bodies.used(); return used == 1000 })
			continue
		}
		send(r, frame(wire.FrameData, body))
		eventually(t, "a body that waits", func() bool { _, waits := f.server.bodies.used(); return waits == i })
	}
	send(requests[0], frame(wire.FrameData, body[1000:]))
	want := fmt.Sprintf("200 %d %x false", size, sha256.Sum256(body))
	for i, r := range requests {
		if a := answerOf(t, r); i < 2 && a != want || i == 2 && a != "503" {
			t.Errorf("upload %d: %s", i, a)
		}
	}
	sending.Wait()
	r := client.OpenRequest()
	r.SendRequest("POST", "/")
	send(r, frame(wire.FrameData, body))
	if a := answerOf(t, r); a != want {
		t.Errorf("the next upload: %s", a)
	}
	eventually(t, "everything given back", func() bool { used, _ := f.server.bodies.used(); return used == 0 })
	f.server.bodies.unused(t)
}
