package server

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"zigh3/engine/message"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// P07: what the engine takes off the consumer's account is bounded by QUIC's flow control, not by the consumer's speed.
func TestP07_SlowReaderHoldsTheWriterBack(t *testing.T) {
	withAndWithoutDatagram(t, testP07_SlowReaderHoldsTheWriterBack)
}

func testP07_SlowReaderHoldsTheWriterBack(t *testing.T) {
	const piece = 64 << 10
	pieces := many(100, 800)
	var o owner
	opened, closed := make(chan event, 1), make(chan event, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			r := c.request(e.Object)
			r.Start(200, nil)
			for range pieces {
				r.Write(o.chunk(pattern(piece)))
			}
			r.End(sink.Chunk{})
			opened <- e
		case sink.EventStreamClosed:
			closed <- e
		}
	})
	resp, err := newClient(t).Get(f.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	e := within(t, "the request", opened)
	drained := func() int {
		return f.DrainedOf(e.Object)
	}
	last := -1
	eventually(t, "the peer's window full", func() bool { // nothing moves between two looks
		was := last
		last = drained()
		return last == was && last > 0
	})
	if last > 1<<20 { // quic-go's client begins with half of that
		t.Errorf("%d bytes left for a reader that took nothing", last)
	}
	h := 0
	buf := make([]byte, 1<<20)
	for {
		n, err := resp.Body.Read(buf)
		h += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if h != piece*pieces {
		t.Errorf("%d bytes came", h)
	}
	if e := within(t, "the end", closed); e.Code != sink.OK {
		t.Errorf("ended with %+v", e.Event)
	}
	eventually(t, "every chunk given back", func() bool { return o.back.Load() == int64(pieces) })
	if n := f.stats[sink.StatBodyBytesOut].Load(); n != uint64(piece*pieces) {
		t.Errorf("%d bytes counted", n)
	}
	// The connection rested, but for this response.
	eventually(t, "every byte that was sent counted", func() bool { return f.stats[sink.StatBytesOut].Load() >= uint64(piece*pieces) })
}

func TestSmallWindowOfThePeerDoesNotBlockTheReactor(t *testing.T) {
	withAndWithoutDatagram(t, testSmallWindowOfThePeerDoesNotBlockTheReactor)
}

func testSmallWindowOfThePeerDoesNotBlockTheReactor(t *testing.T) {
	var held []event
	holding := make(chan bool, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type != sink.EventRequest {
			return
		}
		if field(e.Meta, ":path") == "/quick" {
			c.send(e, 200, "quick")
			return
		}
		c.send(e, 200, string(pattern(12_000)))
		if held = append(held, e); len(held) == 100 {
			holding <- true
		}
	})
	q := dialWindow(t, f.addr, 1000)
	for range 100 {
		s, err := q.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.Write(request("GET", "/big"))
		s.Close()
	}
	within(t, "100 requests", holding)
	if status, body := fetch(t, newClient(t), f.url("/quick")); status != 200 || body != "quick" {
		t.Errorf("%d %q", status, body)
	}
}

// A client with a large window vanishes: of many small pieces that QUIC would take at once, no more leaves the consumer's account than goes
// out without waiting, and what is on the way.
func TestP07_SmallPiecesOfAClientThatIsGone(t *testing.T) {
	withAndWithoutDatagram(t, testP07_SmallPiecesOfAClientThatIsGone)
}

func testP07_SmallPiecesOfAClientThatIsGone(t *testing.T) {
	begun := make(chan event, 1)
	f := serve(t, "", 0, func(_ *consumer, e event) {
		if e.Type == sink.EventRequest {
			begun <- e
		}
	})
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	addr, err := net.ResolveUDPAddr("udp4", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	client := &quic.Transport{Conn: socket}
	defer client.Close()
	const window = 8 << 20
	q, err := client.Dial(ctx(t), addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{EnableDatagrams: offersDatagram,
		InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window, InitialConnectionReceiveWindow: window, MaxConnectionReceiveWindow: window})
	if err != nil {
		t.Fatal(err)
	}
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	e := within(t, "the request", begun)
	client.Close() // sends nothing: nobody acknowledges any more
	f.Await(func() {
		r := f.request(e.Object)
		r.Start(200, nil)
		for range 1500 {
			r.Write(sink.Chunk{Bytes: pattern(4 << 10)})
		}
	})
	if n := f.DrainedOf(e.Object); n < message.InlineTotal || n > 4*message.InlineTotal {
		t.Errorf("%d bytes have left for a client that is gone", n)
	}
}

func TestP07_SmallPiecesThatWaitAreOne(t *testing.T) {
	withAndWithoutDatagram(t, testP07_SmallPiecesThatWaitAreOne)
}

func testP07_SmallPiecesThatWaitAreOne(t *testing.T) {
	const pieces = 200_000
	queued := make(chan int, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type != sink.EventRequest {
			return
		}
		r := c.request(e.Object)
		r.Start(200, nil)
		r.Write(sink.Chunk{Bytes: pattern(100_000)})
		for i := range pieces {
			r.Write(sink.Chunk{Bytes: []byte{byte(i)}})
		}
		r.mu.Lock()
		queued <- r.out.Waiting()
		r.mu.Unlock()
		r.End(sink.Chunk{Bytes: []byte("end")})
	})
	q := dialWindow(t, f.addr, 10_000)
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	if n := within(t, "the answer", queued); n > 2+pieces/message.JoinedPiece {
		t.Errorf("%d parts wait for %d bytes", n, pieces)
	}
	want := pattern(100_000)
	for i := range pieces {
		want = append(want, byte(i))
	}
	b, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	var scan wire.FrameScanner
	var got []byte
	for len(b) > 0 {
		payload, rest, _, _, ok := scan.Next(b)
		if b = rest; ok && scan.Typ == wire.FrameData {
			got = append(got, payload...)
		}
	}
	if string(got) != string(want)+"end" {
		t.Errorf("%d bytes came, not %d or others", len(got), len(want)+3)
	}
}
