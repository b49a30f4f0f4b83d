package datagram

import (
	"slices"
	"strings"
	"testing"
	"time"

	"zigh3/engine/link"
	"zigh3/engine/sink"
)

func TestWhatComesBeforeItsStreamIsKept(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	f.come(8, "a")
	f.come(4, "b")
	f.come(8, "c")
	o := f.open(8, h)
	f.come(8, "d")
	o.Start()
	f.expect(counts{in: 4, delivered: 3})
	if got := f.sink.data(sink.EventH3Datagram, h); !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("%q", got)
	}
	if f.flows.early.bytes != 1 || len(f.flows.early.kept) != 1 {
		t.Errorf("%+v", f.flows.early)
	}
	f.flows.Lost()
	f.expect(counts{in: 4, delivered: 3, unknown: 1})
}

// A flow takes no more of them than may wait in it.
func TestMoreBeforeTheStreamThanWait(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	for i := range 12 {
		f.come(0, number(i))
	}
	o := f.open(0, h)
	f.expect(counts{in: 12, early: 4})
	o.Start()
	f.expect(counts{in: 12, early: 4, delivered: 8})
	if got := numbers(f.sink.data(sink.EventH3Datagram, h)); !slices.Equal(got, upTo(4, 12)) {
		t.Errorf("%d", got)
	}
	if c := o.Counters(); c != (Counters{Delivered: 8, Lost: 4}) {
		t.Errorf("%+v", c)
	}
}

func TestBoundsOfWhatIsKept(t *testing.T) {
	f := settled(t, Options{Incoming: 1000, HTTP: true})
	f.flows.early.wait = time.Hour
	for i := range maxEarly + 10 {
		f.come(uint64(4*i), number(i))
	}
	f.expect(counts{in: maxEarly + 10, early: 10})
	f.open(4*9, h).Start() // dropped
	f.open(4*10, h).Start()
	f.expect(counts{in: maxEarly + 10, early: 10, delivered: 1})
	f.flows.Lost()

	f = settled(t, Options{Incoming: 1000, HTTP: true})
	f.flows.early.wait = time.Hour
	const size = 1300
	const fit = maxEarlyBytes / size
	for range fit + 5 {
		f.come(0, strings.Repeat("x", size))
	}
	f.expect(counts{in: fit + 5, early: 5})
	if f.flows.early.bytes != fit*size {
		t.Errorf("%d bytes", f.flows.early.bytes)
	}
}

// Streams that were seen and have no flow are waited for no more, and what was kept for them goes (S7: it is not counted twice).
func TestStreamsThatWereSeen(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	f.come(0, "x")
	f.come(4, "y")
	f.flows.Seen(0)
	f.expect(counts{in: 2, unknown: 1})
	o := f.open(4, h)
	f.flows.Seen(4)
	o.Start()
	f.expect(counts{in: 2, unknown: 1, delivered: 1})
	o.end()
	for range 200 { // of streams that have ended
		f.come(0, "x")
		f.come(4, "x")
	}
	f.expect(counts{in: 402, unknown: 401, delivered: 1})
	f.come(8, "z")
	f.expect(counts{in: 403, unknown: 401, delivered: 1})
	f.open(8, h+1).Start()
	f.expect(counts{in: 403, unknown: 401, delivered: 2})
}

// One stream's head takes longer than the next one's.
func TestExpectedStreams(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	f.flows.Expect(0)
	f.flows.Expect(4)
	f.flows.Seen(8)
	f.come(0, "a")
	f.come(4, "b")
	f.come(8, "c")
	f.expect(counts{in: 3, unknown: 1})
	f.open(0, h).Start()
	f.flows.Seen(4)
	f.expect(counts{in: 3, unknown: 2, delivered: 1})
	f.come(4, "d")
	f.expect(counts{in: 4, unknown: 3, delivered: 1})
	if n := len(f.flows.early.expected); n != 0 {
		t.Errorf("%d expected", n)
	}
}

func TestStreamsThatNeverCome(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Millisecond
	for i := range 3 {
		f.come(400, "x")
		f.expect(counts{in: uint64(i + 1), unknown: uint64(i + 1)})
	}
	f.flows.mu.Lock()
	defer f.flows.mu.Unlock()
	if f.flows.early.bytes != 0 {
		t.Errorf("%d bytes", f.flows.early.bytes)
	}
}

// Those that came later stay, and are looked at again.
func TestEachWaitsItsOwnTime(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	f.come(400, "old")
	f.come(400, "new")
	f.flows.mu.Lock()
	f.flows.early.kept[0].at -= uint64(2 * time.Hour)
	f.flows.mu.Unlock()
	f.flows.expireEarly()
	f.expect(counts{in: 2, unknown: 1})
	f.flows.mu.Lock()
	if e := &f.flows.early; len(e.kept) != 1 || string(e.kept[0].bytes) != "new" || !e.armed {
		t.Errorf("%+v", e)
	}
	f.flows.early.wait = time.Millisecond
	f.flows.mu.Unlock()
	f.flows.expireEarly()
	f.expect(counts{in: 2, unknown: 2})
}

// A client opens all streams itself: there is nothing to wait for.
func TestAClientKeepsNothing(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	f.c.Env.Role = link.Client
	f.come(4, "x")
	f.expect(counts{in: 1, unknown: 1})
	f.open(4, h).Start()
	f.come(4, "x")
	f.expect(counts{in: 2, unknown: 1, delivered: 1})
}
