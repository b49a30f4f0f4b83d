package datagram

import (
	"math/rand/v2"
	"slices"
	"testing"

	"zigh3/engine/sink"
)

const h = sink.Handle(50)

func TestWhatComesIsDelivered(t *testing.T) {
	f := settled(t, plain)
	o := f.open(4, h)
	o.Start()
	for _, s := range []string{"", "one", "two"} {
		f.come(4, s)
	}
	if got := f.sink.data(sink.EventH3Datagram, h); !slices.Equal(got, []string{"", "one", "two"}) {
		t.Errorf("%q", got)
	}
	f.expect(counts{in: 3, delivered: 3})
	e := f.sink.events[1]
	if e.Parent != 1 || e.Conn != 2 || e.Status != 7 || e.Aux == 0 || e.Aux > sink.Monotonic() {
		t.Errorf("%+v", e)
	}
	if c := o.Counters(); c != (Counters{Delivered: 3}) {
		t.Errorf("%+v", c)
	}
}

// What a consumer has no room for waits: the newest. It comes, in order, once there is room.
func TestTheOldestGo(t *testing.T) {
	const room, burst = 5, 40
	f := settled(t, plain)
	o := f.open(0, h)
	o.Start()
	f.sink.setRoom(room)
	for i := range burst {
		f.come(0, number(i))
	}
	f.expect(counts{in: burst, delivered: room, ring: burst - room - 8})
	f.sink.setRoom(1 << 30)
	f.expect(counts{in: burst, delivered: room + 8, ring: burst - room - 8})
	if got := numbers(f.sink.data(sink.EventH3Datagram, h)); !slices.Equal(got, append(upTo(0, room), upTo(burst-8, burst)...)) {
		t.Errorf("%d", got)
	}
	if n := f.sink.lost[sink.EventH3Datagram]; n != burst-room-8 {
		t.Errorf("%d told to be lost", n)
	}
	if c := o.Counters(); c != (Counters{Delivered: room + 8, Lost: burst - room - 8}) {
		t.Errorf("%+v", c)
	}
	f.come(0, number(burst)) // nothing waits any more
	f.expect(counts{in: burst + 1, delivered: room + 9, ring: burst - room - 8})
}

// Room that comes bit by bit, while more comes, mixes nothing up.
func TestOrderWhileRoomComesAndGoes(t *testing.T) {
	f := settled(t, Options{Incoming: 10_000, Outgoing: 1, HTTP: true})
	f.open(0, h).Start()
	f.sink.setRoom(0)
	for i := range 2000 {
		f.come(0, number(i))
		if i%7 == 0 {
			f.sink.setRoom(rand.IntN(9))
		}
	}
	f.sink.setRoom(1 << 30)
	f.expect(counts{in: 2000, delivered: 2000})
	if got := numbers(f.sink.data(sink.EventH3Datagram, h)); !slices.Equal(got, upTo(0, 2000)) {
		t.Error("out of order")
	}
}

func TestWhatComesBeforeTheStartWaits(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	for i := range 11 {
		f.come(0, number(i))
	}
	f.expect(counts{in: 11, early: 3})
	if n := len(f.sink.events); n != 0 {
		t.Errorf("%d events", n)
	}
	o.Start()
	f.expect(counts{in: 11, early: 3, delivered: 8})
	if got := numbers(f.sink.data(sink.EventH3Datagram, h)); !slices.Equal(got, upTo(3, 11)) {
		t.Errorf("%d", got)
	}
	if c := o.Counters(); c != (Counters{Delivered: 8, Lost: 3}) {
		t.Errorf("%+v", c)
	}
	if n := f.sink.lost[sink.EventH3Datagram]; n != 0 {
		t.Errorf("%d told to be lost for want of room", n)
	}
}

func TestCloseCountsWhatWaits(t *testing.T) {
	f := settled(t, plain)
	f.sink.setRoom(0)
	started, never := f.open(0, h), f.open(4, h+1)
	started.Start()
	for range 3 {
		f.come(0, "x")
		f.come(4, "x")
	}
	f.expect(counts{in: 6})
	started.end()
	f.expect(counts{in: 6, ring: 3})
	started.Close() // once is enough
	never.end()
	f.expect(counts{in: 6, ring: 3, early: 3})
	f.flows.Seen(4)
	f.come(0, "late")
	f.expect(counts{in: 7, ring: 3, early: 3, unknown: 1})
}

// An owner's lock is held while it closes its flow, and taken to publish: whoever publishes must not be waited for.
func TestCloseWhileOneIsDelivered(t *testing.T) {
	f := settled(t, plain)
	var flow *Flow
	flow = f.flows.Open(0, sink.Event{Type: sink.EventH3Datagram}, func(sink.Record, *sink.Event) bool {
		closed := make(chan struct{})
		go func() {
			flow.Close()
			close(closed)
		}()
		<-closed
		return false
	})
	flow.Start()
	f.come(0, "x")
	f.expect(counts{in: 1, unknown: 1})
	if f.sink.reserved != 0 {
		t.Error("a record was neither committed nor given back")
	}
}

// What happens while the oldest one is tried in vain: it is given up where nothing can wait any more, or newer ones have taken all places.
func TestWhileTheOldestIsTried(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	f.come(0, "x")
	f.sink.setRoom(0)
	f.sink.onFull = o.Close
	o.Start()
	f.expect(counts{in: 1, ring: 1})

	f = settled(t, Options{Incoming: 2, HTTP: true})
	o = f.open(0, h)
	f.come(0, "a")
	f.sink.setRoom(0)
	f.sink.onFull = func() {
		f.come(0, "b")
		f.come(0, "c")
	}
	o.Start()
	f.expect(counts{in: 3, ring: 1})
	f.sink.setRoom(5)
	f.expect(counts{in: 3, ring: 1, delivered: 2})
	if got := f.sink.data(sink.EventH3Datagram, h); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("%q", got)
	}
}

// Flows that end while datagrams come, are delivered and wait: each is counted once.
func TestTheSumAddsUp(t *testing.T) {
	f := settled(t, Options{Incoming: 3, Outgoing: 1, HTTP: true})
	f.flows.early.wait = 1
	stop := make(chan struct{})
	roomy := make(chan struct{})
	go func() {
		defer close(roomy)
		for {
			select {
			case <-stop:
				return
			default:
				f.sink.setRoom(rand.IntN(4))
			}
		}
	}()
	ended := make(chan struct{}, 1)
	var came uint64
	for stream := uint64(0); stream < 4*400; stream += 4 {
		for range rand.IntN(3) {
			f.come(stream, "early")
			came++
		}
		o := f.open(stream, sink.Handle(1000+stream))
		f.flows.Seen(stream)
		go func() {
			o.Start()
			o.end()
			ended <- struct{}{}
		}()
		for range rand.IntN(6) {
			f.come(stream, "x")
			came++
		}
		<-ended
	}
	close(stop)
	<-roomy
	f.sink.setRoom(0)
	eventually(t, "the sum", func() bool { c := count(&f.stats); return c.in == came && c.sum() == came })
	if n := len(f.flows.open); n != 0 {
		t.Errorf("%d flows left", n)
	}
	if c := count(&f.stats); c.delivered != uint64(len(f.sink.events)) {
		t.Errorf("%d delivered, %d events", c.delivered, len(f.sink.events))
	}
}

// A datagram costs nothing but what QUIC makes for it.
func TestAllocationsOfWhatComes(t *testing.T) {
	f := settled(t, plain)
	f.sink.quiet = true
	f.open(4, h).Start()
	data := packed(4, "hello")
	if n := testing.AllocsPerRun(1000, func() { f.flows.came(data) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkIncoming(b *testing.B) {
	f := settled(b, plain)
	f.sink.quiet = true
	f.open(4, h).Start()
	data := packed(4, "hello")
	b.ReportAllocs()
	for b.Loop() {
		f.flows.came(data)
	}
}

// FuzzIncoming reads any bytes as a datagram: it is delivered to the flow it names, or counted, or breaks the protocol.
func FuzzIncoming(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add([]byte{1, 'x'})
	f.Add([]byte{0x40})
	f.Add([]byte{0x40, 0x01, 'x'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		f := settled(t, plain)
		f.open(4, h).Start()
		f.flows.Seen(4)
		size := len(data)
		breach := f.flows.came(slices.Clone(data))
		got := f.sink.data(sink.EventH3Datagram, h)
		quarter, header := uint64(0), 1
		if size > 0 {
			header = 1 << (data[0] >> 6)
		}
		whole := size >= header
		if whole {
			quarter = uint64(data[0] & 0x3f)
			for _, b := range data[1:header] {
				quarter = quarter<<8 | uint64(b)
			}
		}
		f.flows.Lost()
		c := count(&f.stats)
		switch {
		case !whole || quarter >= 1<<60:
			if breach == nil || breach.Code != 0x33 || c != (counts{in: 1, unknown: 1}) {
				t.Errorf("%v, %+v", breach, c)
			}
		case quarter == 1:
			if breach != nil || len(got) != 1 || got[0] != string(data[header:]) || c != (counts{in: 1, delivered: 1}) {
				t.Errorf("%v, %q, %+v", breach, got, c)
			}
		default:
			if breach != nil || len(got) != 0 || c != (counts{in: 1, unknown: 1}) {
				t.Errorf("%v, %q, %+v", breach, got, c)
			}
		}
	})
}
