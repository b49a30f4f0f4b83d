package datagram

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zigh3/engine/sink"
)

func TestWhatIsSent(t *testing.T) {
	f := settled(t, plain)
	o := f.open(400, h)
	if limit := o.Announce(h); limit != 1198 {
		t.Errorf("limit %d", limit)
	}
	if limit, places := f.sink.sendable(h); limit != 1198 || places != 16 {
		t.Errorf("limit %d, %d places", limit, places)
	}
	for _, s := range []string{"", "one", "two"} {
		o.Send([]byte(s), time.Minute)
	}
	eventually(t, "all", func() bool { return f.stats[sink.StatDatagramsOut].Load() == 3 })
	if got := f.quic.all(); !slices.Equal(got, []string{"\x40\x64", "\x40\x64one", "\x40\x64two"}) {
		t.Errorf("%q", got)
	}
	eventually(t, "the places", func() bool { _, places := f.sink.sendable(h); return places == 16+3 })
	if c := o.Counters(); c != (Counters{Sent: 3}) {
		t.Errorf("%+v", c)
	}
}

// The caller is not held up by a network that takes nothing, and what is too old when its turn comes is not sent.
func TestAgesAndReasons(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	o.Announce(h)
	f.quic.open(false)
	o.Send([]byte("stuck"), 0)
	eventually(t, "the first", func() bool { return f.quic.waiting() == 1 })
	o.Send([]byte(strings.Repeat("x", 1000)), 0)
	o.Send([]byte("old"), time.Nanosecond)
	o.Send([]byte("older"), time.Nanosecond)
	o.Send([]byte("good"), time.Hour)
	f.quic.narrow(500)
	f.quic.open(true)
	eventually(t, "the ends", func() bool { return f.stats[sink.StatDatagramsOut].Load() == 2 })
	if got := f.quic.all(); !slices.Equal(got, []string{"\x00stuck", "\x00good"}) {
		t.Errorf("%q", got)
	}
	eventually(t, "both reasons", func() bool { d := f.sink.dropped(h); return d == "-431 x1, -408 x2" || d == "-408 x2, -431 x1" })
	if a, b := f.stats[sink.StatDatagramsExpired].Load(), f.stats[sink.StatDatagramsTooLarge].Load(); a != 2 || b != 1 {
		t.Errorf("%d too old, %d too large", a, b)
	}
	if limit, places := f.sink.sendable(h); limit != 499 || places != 16+5 {
		t.Errorf("limit %d, %d places", limit, places)
	}
	if c := o.Counters(); c != (Counters{Sent: 2, Expired: 2, Unsent: 1}) {
		t.Errorf("%+v", c)
	}
}

// One that became too old between its turn and QUIC's queue is not sent either.
func TestAgeWhileOthersAreSent(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	o.Announce(h)
	s := &f.flows.out
	s.running = true // nobody but this goroutine
	o.Send([]byte("x"), time.Hour)
	var parcels [atOnce]parcel
	if n, _ := s.take(&parcels); n != 1 {
		t.Fatalf("%d taken", n)
	}
	parcels[0].d.expiry = 1
	s.send(parcels[0].f, parcels[0].d)
	if n := f.stats[sink.StatDatagramsExpired].Load(); n != 1 || len(f.quic.all()) != 0 {
		t.Errorf("%d too old", n)
	}
	eventually(t, "its event", func() bool { return f.sink.dropped(h) == "-408 x1" })
	s.running = false
}

func TestFlowsTakeTurns(t *testing.T) {
	f := settled(t, Options{Incoming: 1, Outgoing: 1000, HTTP: true})
	busy, quiet := f.open(0, h), f.open(4, h+1)
	busy.Announce(h)
	quiet.Announce(h + 1)
	f.quic.open(false)
	busy.Send([]byte("x"), 0)
	eventually(t, "the first", func() bool { return f.quic.waiting() == 1 })
	for range 100 {
		busy.Send([]byte("x"), 0)
	}
	for range 10 {
		quiet.Send([]byte("y"), 0)
	}
	f.quic.open(true)
	eventually(t, "all", func() bool { return f.stats[sink.StatDatagramsOut].Load() == 111 })
	want := "x" + strings.Repeat("xy", 10) + strings.Repeat("x", 90)
	got := ""
	for _, s := range f.quic.all() {
		got += s[1:]
	}
	if got != want {
		t.Errorf("%s", got)
	}
}

// Places come back many together while the network is slow.
func TestPlacesComeBackTogether(t *testing.T) {
	f := settled(t, Options{Incoming: 1, Outgoing: 64, HTTP: true})
	o := f.open(0, h)
	o.Announce(h)
	f.quic.open(false)
	o.Send(nil, 0)
	eventually(t, "the first", func() bool { return f.quic.waiting() == 1 })
	eventually(t, "its place", func() bool { _, places := f.sink.sendable(h); return places == 65 })
	before := f.sink.calls
	for range 64 {
		o.Send(nil, 0)
	}
	f.quic.open(true)
	eventually(t, "the places", func() bool { _, places := f.sink.sendable(h); return places == 64+65 })
	if n := f.sink.calls - before; n != 4 {
		t.Errorf("%d calls", n)
	}
}

func TestWhatIsQueuedIsSentAfterTheEnd(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	o.Announce(h)
	f.quic.open(false)
	for range 12 {
		o.Send([]byte("x"), 0)
	}
	o.Send([]byte("old"), time.Nanosecond)
	o.end()
	o.Send([]byte("too late"), 0)
	f.quic.open(true)
	eventually(t, "all", func() bool { return f.stats[sink.StatDatagramsOut].Load() == 12 })
	eventually(t, "the old one", func() bool { return f.stats[sink.StatDatagramsExpired].Load() == 1 })
	if n := f.stats[sink.StatDatagramsUnsent].Load(); n != 1 {
		t.Errorf("%d unsent", n)
	}
	if d := f.sink.dropped(h); d != "" {
		t.Errorf("told of a released handle: %s", d)
	}
	if c := o.Counters(); c != (Counters{Sent: 12, Expired: 1, Unsent: 1}) {
		t.Errorf("%+v", c)
	}
}

func TestTheConnectionEnds(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	o.Announce(h)
	f.quic.open(false)
	for range 5 {
		o.Send([]byte("x"), 0)
	}
	f.quic.fail()
	eventually(t, "all", func() bool { return f.stats[sink.StatDatagramsUnsent].Load() == 5 })
	eventually(t, "the event", func() bool {
		total := 0
		f.sink.mu.Lock()
		defer f.sink.mu.Unlock()
		for _, e := range f.sink.events {
			if e.Code != sink.ErrClosed {
				t.Errorf("%+v", e)
			}
			total += int(e.Aux)
		}
		return total == 5
	})
}

// A consumer that takes no events holds up what is told to it, not what others send. What is dropped meanwhile is told together.
func TestDropsWaitForTheConsumerAlone(t *testing.T) {
	f := settled(t, Options{Incoming: 1, Outgoing: 1000, HTTP: true})
	o, other := f.open(0, h), f.open(4, h+1)
	o.Announce(h)
	other.Announce(h + 1)
	f.sink.stall(true)
	for i := range 30 {
		o.Send([]byte("old"), time.Nanosecond)
		other.Send([]byte("x"), 0)
		eventually(t, "each", func() bool {
			return f.stats[sink.StatDatagramsOut].Load() == uint64(i+1) && f.stats[sink.StatDatagramsExpired].Load() == uint64(i+1)
		})
	}
	f.sink.stall(false)
	eventually(t, "the events", func() bool { d := f.sink.dropped(h); return d == "-408 x1, -408 x29" })
}

func TestLimits(t *testing.T) {
	f := newFixture(t, plain)
	o := f.open(0, h)
	if limit := o.Announce(h); limit != 0 {
		t.Errorf("limit %d before SETTINGS", limit)
	}
	f.flows.Settled(true)
	if limit, places := f.sink.sendable(h); limit != 1199 || places != 16 {
		t.Errorf("limit %d, %d places", limit, places)
	}
	calls := f.sink.calls
	o.Measure()
	if f.sink.calls != calls {
		t.Error("told without need")
	}
	f.quic.narrow(1400)
	o.Measure()
	if limit, places := f.sink.sendable(h); limit != 1399 || places != 16 {
		t.Errorf("limit %d, %d places", limit, places)
	}
	o.end()
	f.quic.narrow(1000)
	o.Measure() // the sink looks that it is not told of a handle that was released

	f = newFixture(t, plain)
	f.flows.Settled(false)
	if limit := f.open(0, h).Announce(h); limit != 0 {
		t.Errorf("limit %d where the peer announced nothing", limit)
	}
}

func TestCountersAreToldOf(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	var told atomic.Uint64
	o.Notify(func() { told.Add(1) })
	o.Start()
	o.Announce(h)
	f.come(0, "x")
	if n := told.Load(); n != 1 {
		t.Errorf("told %d times of what came", n)
	}
	o.Send([]byte("x"), 0)
	eventually(t, "the second", func() bool { return told.Load() == 2 })
	o.Send([]byte("x"), time.Nanosecond)
	eventually(t, "the third", func() bool { return told.Load() == 3 })
	f.sink.setRoom(0)
	f.come(0, "x")
	o.end()
	if n := told.Load(); n != 4 {
		t.Errorf("told %d times", n)
	}
}

// Nothing starts once the connection has gone, and nothing is lost for the counters.
func TestNothingStartsAfterTheEnd(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	o := f.open(0, h)
	o.Announce(h)
	f.sink.setRoom(0)
	f.come(0, "x")
	f.flows.Lost()
	o.Start()
	o.Send([]byte("x"), 0)
	f.flows.Start()
	f.come(0, "y")
	f.come(4, "z")
	if o := f.open(8, h); !o.closed {
		t.Error("opened")
	}
	f.expect(counts{in: 3, unknown: 1})
	o.end()
	f.expect(counts{in: 3, unknown: 1, ring: 2})
	if f.flows.out.running || f.flows.out.teller.running || o.delivering || f.flows.early.armed {
		t.Error("something runs")
	}
	if n := f.stats[sink.StatDatagramsUnsent].Load(); n != 1 {
		t.Errorf("%d unsent", n)
	}
}

// What a sender that is still there cannot send any more is counted, but starts nobody who would tell it.
func TestNobodyIsToldAfterTheEnd(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	o.Announce(h)
	f.quic.open(false)
	for range 3 {
		o.Send([]byte("x"), 0)
	}
	eventually(t, "the first", func() bool { return f.quic.waiting() == 1 })
	f.flows.Lost()
	f.quic.fail()
	eventually(t, "all", func() bool { return f.stats[sink.StatDatagramsUnsent].Load() == 3 })
	f.flows.out.mu.Lock()
	defer f.flows.out.mu.Unlock()
	if teller := &f.flows.out.teller; teller.running || teller.flows.len() > 0 || f.sink.dropped(h) != "" {
		t.Error("somebody is told")
	}
}

// QUIC finds out what packets may hold while things are sent: the limit follows.
func TestTheLimitFollows(t *testing.T) {
	f := settled(t, plain)
	o := f.open(0, h)
	o.Announce(h)
	f.quic.narrow(1400)
	f.flows.out.mu.Lock()
	f.flows.out.measured = 0
	f.flows.out.mu.Unlock()
	o.Send([]byte("x"), 0)
	eventually(t, "the limit", func() bool { limit, _ := f.sink.sendable(h); return limit == 1399 })
}

// discard takes what is sent.
type discard struct{ fakeQUIC }

func (*discard) SendDatagram([]byte) error { return nil }

func TestAllocationsOfWhatIsSent(t *testing.T) {
	f := settled(t, plain)
	f.flows.quic = new(discard)
	o := f.open(400, h)
	o.Announce(h)
	f.flows.out.running = true // nobody but this goroutine
	data := make([]byte, 1000)
	n := testing.AllocsPerRun(1000, func() {
		for range atOnce {
			o.Send(data, time.Minute)
		}
		var parcels [atOnce]parcel
		n, _ := f.flows.out.take(&parcels)
		for _, p := range parcels[:n] {
			f.flows.out.send(p.f, p.d)
		}
	})
	if n > 0.5 { // the pool is emptied now and then
		t.Errorf("%v allocations", n)
	}
	f.flows.out.running = false
}

func BenchmarkSend(b *testing.B) {
	f := settled(b, Options{Outgoing: 1 << 30, HTTP: true})
	f.flows.quic = new(discard)
	o := f.open(400, h)
	o.Announce(h)
	data := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		o.Send(data, 0)
	}
}
