package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

// An upload is what a consumer has of one request's body.
type upload struct {
	body   []byte
	whole  bool // with the REQUEST event
	pieces int
}

// collect answers with length and hash of each body once it is complete.
func collect(consume bool) func(c *consumer, e event) {
	uploads := map[sink.Handle]*upload{}
	return func(c *consumer, e event) {
		u := uploads[e.Object]
		switch e.Type {
		case sink.EventRequest:
			u = &upload{body: bytes.Clone(e.Data), whole: e.Flags&sink.FlagEnd != 0}
			uploads[e.Object] = u
			if !u.whole {
				return
			}
		case sink.EventBody:
			if e.Aux != uint64(len(u.body)) || len(e.Data) == 0 || len(e.Data) > message.LargestPiece {
				c.t.Errorf("a piece of %d bytes at %d, after %d", len(e.Data), e.Aux, len(u.body))
			}
			u.body = append(u.body, e.Data...)
			u.pieces++
			if r := c.request(e.Object); r != nil && consume {
				r.Consumed(uint64(len(e.Data)))
			}
			return
		case sink.EventBodyEnd:
			if e.Aux != uint64(len(u.body)) {
				c.t.Errorf("the end after %d bytes says %d", len(u.body), e.Aux)
			}
		default:
			return
		}
		c.send(e, 200, fmt.Sprintf("%d %x %v", len(u.body), sha256.Sum256(u.body), u.whole))
	}
}

func TestB01_S01_S03_S04_BodiesArriveWhole(t *testing.T) {
	withAndWithoutDatagram(t, testB01_S01_S03_S04_BodiesArriveWhole)
}

func testB01_S01_S03_S04_BodiesArriveWhole(t *testing.T) {
	for _, route := range []struct {
		name  string
		flags uint32
		whole int // the largest body that must come with the REQUEST event
	}{{"buffered", route.Buffered, message.LargestPiece}, {"streaming", 0, 0}} {
		t.Run(route.name, func(t *testing.T) {
			f := serve(t, "", route.flags, collect(true))
			client := newClient(t)
			for _, n := range []int{0, 1, 1000, 16 << 10, 60_000, message.LargestPiece - 1, message.LargestPiece, message.LargestPiece + 1, 512 << 10, many(1, 5) << 20} { // beyond the window
				for _, known := range []bool{true, false} {
					b := pattern(n)
					var body io.Reader = bytes.NewReader(b)
					if !known {
						body = struct{ io.Reader }{body}
					}
					resp, err := client.Post(f.url("/"), "", body)
					if err != nil {
						t.Fatal(err)
					}
					got := read(t, resp)
					want := fmt.Sprintf("%d %x ", n, sha256.Sum256(b))
					if route.flags != 0 {
						want += fmt.Sprint(n <= route.whole)
					} else {
						got = got[:min(len(got), len(want))]
					}
					if got != want {
						t.Errorf("%d bytes, length known %v: %q, want %q", n, known, got, want)
					}
				}
			}
		})
	}
}

func TestS05_CreditHoldsThePeerBack(t *testing.T) {
	withAndWithoutDatagram(t, testS05_CreditHoldsThePeerBack)
}

func testS05_CreditHoldsThePeerBack(t *testing.T) {
	const window, size = 128 << 10, 4 << 20
	type piece struct {
		h sink.Handle
		n int
	}
	pieces, ended := make(chan piece, size), make(chan event, 1)
	f := serve(t, fmt.Sprintf(`{"receive_window": %d}`, window), 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventBody:
			pieces <- piece{e.Object, len(e.Data)}
		case sink.EventBodyEnd:
			ended <- e
			c.send(e, 200, "")
		}
	})
	done := make(chan int, 1)
	go func() {
		resp, err := newClient(t).Post(f.url("/"), "", bytes.NewReader(pattern(size)))
		if err != nil {
			t.Error(err)
			done <- 0
			return
		}
		done <- resp.StatusCode
	}()
	total, waiting := 0, 0
	for total < size {
		for waiting < window && total < size {
			p := within(t, "a piece", pieces)
			total, waiting = total+p.n, waiting+p.n
			if waiting > window {
				t.Fatalf("%d bytes are waiting", waiting)
			}
			if waiting == window {
				select {
				case p := <-pieces:
					t.Fatalf("%d bytes beyond the window", p.n)
				case <-time.After(2 * time.Millisecond):
				}
			}
			if waiting == window || total == size {
				n := waiting
				f.Do(func() {
					if r := f.request(p.h); r != nil { // the last piece was answered already
						r.Consumed(uint64(n))
					}
				})
				waiting = 0
			}
		}
	}
	if e := within(t, "the end", ended); e.Aux != size {
		t.Errorf("the end says %d", e.Aux)
	}
	if status := within(t, "the answer", done); status != 200 {
		t.Errorf("status %d", status)
	}
}

// An endless body sends until it is stopped.
type endless struct{ ctx context.Context }

func (b endless) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, b.ctx.Err()
	}
	return len(p), nil
}

func TestB04_ContentLengthOfALateBody(t *testing.T) {
	withAndWithoutDatagram(t, testB04_ContentLengthOfALateBody)
}

func testB04_ContentLengthOfALateBody(t *testing.T) {
	for _, c := range []struct {
		name   string
		length string
		end    bool
	}{{"shorter", "10", true}, {"longer", "3", false}} {
		t.Run(c.name, func(t *testing.T) {
			begun, closed := make(chan event, 1), make(chan event, 1)
			f := serve(t, "", 0, func(_ *consumer, e event) {
				switch e.Type {
				case sink.EventRequest:
					begun <- e
				case sink.EventStreamClosed:
					closed <- e
				}
			})
			s, err := dial(t, f.addr).OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			s.Write(post("/", "content-length", c.length))
			within(t, "the request", begun)
			s.Write(frame(wire.FrameData, "five!"))
			if c.end {
				s.Close()
			}
			if e := within(t, "the end", closed); e.Code != sink.ErrProtocol || e.Flags&sink.FlagAborted == 0 {
				t.Errorf("ended with %+v", e.Event)
			}
			var reset *quic.StreamError
			if _, err := s.Read(make([]byte, 1)); !errors.As(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeMessageError) {
				t.Errorf("the client got %v", err)
			}
		})
	}
}

// A request whose head comes in two parts is as whole as another one when its stream ends with the second.
func TestQ06_AHeadInTwoPartsWithTheEndBehindIt(t *testing.T) {
	withAndWithoutDatagram(t, testQ06_AHeadInTwoPartsWithTheEndBehindIt)
}

func testQ06_AHeadInTwoPartsWithTheEndBehindIt(t *testing.T) {
	requests := make(chan event, 1)
	whole := map[sink.Handle]bool{}
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			whole[e.Object] = e.Flags&sink.FlagEnd != 0
			requests <- e
			c.send(e, 200, "")
		case sink.EventBody, sink.EventBodyEnd:
			if whole[e.Object] {
				t.Errorf("behind all of a request: %+v", e.Event)
			}
		}
	})
	client := dial(t, f.addr)
	send := func(fields ...string) *quic.Stream {
		s, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		head := post("/", fields...)
		s.Write(head[:4])
		time.Sleep(2 * link.HeaderWait)
		s.Write(head[4:])
		s.Close() // goes out in one frame with what was written, unless that has left before it
		return s
	}
	ended := 0
	for n := 0; n < 20 || ended == 0 && n < 500; n++ {
		s := send()
		if e := within(t, "the request", requests); e.Flags&sink.FlagEnd != 0 {
			ended++
		}
		if _, err := io.ReadAll(s); err != nil {
			t.Fatal(err)
		}
	}
	if ended == 0 {
		t.Error("none was told to be whole")
	}
	var reset *quic.StreamError
	if _, err := io.ReadAll(send("content-length", "1")); !errors.As(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeMessageError) {
		t.Errorf("without the body that it announces: %v", err)
	}
}

func TestS06_StoppedBody(t *testing.T) { withAndWithoutDatagram(t, testS06_StoppedBody) }

func testS06_StoppedBody(t *testing.T) {
	begun, late := make(chan event, 1), make(chan event, 100)
	stopped := false
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventBody:
			if stopped {
				late <- e
				return
			}
			stopped = true
			c.request(e.Object).Stop()
			begun <- e
		case sink.EventBodyEnd:
			late <- e
		}
	})
	s, err := dial(t, f.addr).OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(join(post("/"), frame(wire.FrameData, "some")))
	e := within(t, "a piece", begun)
	<-s.Context().Done()
	var reset *quic.StreamError
	if cause := context.Cause(s.Context()); !errors.As(cause, &reset) || !reset.Remote || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeNoError) {
		t.Errorf("the upload ended with %v", cause)
	}
	f.Do(func() { f.send(e, 200, "enough") })
	if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("enough")) {
		t.Errorf("answer %q, %v", b, err)
	}
	if len(late) > 0 {
		t.Errorf("%d events about the body after the stop", len(late))
	}
}

func TestS09_Duplex(t *testing.T) { withAndWithoutDatagram(t, testS09_Duplex) }

func testS09_Duplex(t *testing.T) {
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch r := c.request(e.Object); e.Type {
		case sink.EventRequest:
			r.Start(200, nil)
		case sink.EventBody:
			r.Write(sink.Chunk{Bytes: e.Data})
			r.Consumed(uint64(len(e.Data)))
		case sink.EventBodyEnd:
			r.End(sink.Chunk{})
		}
	})
	in, out := io.Pipe()
	req, _ := http.NewRequest("POST", f.url("/"), in)
	resp, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		sent := pattern(1 + 1000*i)
		out.Write(sent)
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	out.Close()
	if rest := read(t, resp); rest != "" {
		t.Errorf("%q behind the end", rest)
	}
}

func TestBodyTrailers(t *testing.T) { withAndWithoutDatagram(t, testBodyTrailers) }

func testBodyTrailers(t *testing.T) {
	for _, flags := range []uint32{0, route.Buffered} {
		ends := make(chan event, 1)
		f := serve(t, "", flags, func(c *consumer, e event) {
			if e.Type == sink.EventBodyEnd {
				ends <- e
				c.send(e, 200, "")
			}
		})
		client := newClient(t)
		for range 2 {
			for _, withLength := range []bool{true, false} { // without one it could go on for all that anybody knows
				var body io.Reader = bytes.NewReader(pattern(3000))
				if !withLength {
					body = struct{ io.Reader }{body}
				}
				req, _ := http.NewRequest("POST", f.url("/"), body)
				req.Trailer = http.Header{"Sum": {"42"}}
				if _, err := client.Do(req); err != nil {
					t.Fatal(err)
				}
				if e := within(t, "the end", ends); e.Aux != 3000 || field(e.Meta, "sum") != "42" {
					t.Errorf("flags %d: %+v %q", flags, e.Event, e.Meta)
				}
				if flags&route.Buffered != 0 {
					eventually(t, "everything given back", func() bool { used, _ := f.server.bodies.used(); return used == 0 })
					f.server.bodies.unused(t)
				}
			}
		}
	}
}

func TestBodyLargerThanTheQueueIsHeldBack(t *testing.T) {
	withAndWithoutDatagram(t, testBodyLargerThanTheQueueIsHeldBack)
}

func testBodyLargerThanTheQueueIsHeldBack(t *testing.T) {
	f := serve(t, "", route.Buffered, collect(false))
	f.SetCapacity(200 << 10)
	f.Stall(true)
	answers := make(chan string, 3)
	for range 3 {
		go func() {
			resp, err := newClient(t).Post(f.url("/"), "", bytes.NewReader(pattern(2<<20)))
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- read(t, resp)
		}()
	}
	eventually(t, "a full queue", func() bool {
		return f.Bulk() > 130<<10
	})
	f.Stall(false)
	want := fmt.Sprintf("%d %x false", 2<<20, sha256.Sum256(pattern(2<<20)))
	for range 3 {
		if a := within(t, "an answer", answers); a != want {
			t.Errorf("%q", a)
		}
	}
}
