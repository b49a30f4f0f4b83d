package server

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A path is a reader of all that a session's unidirectional streams carry, a piece at a time and as much as the test allows: what there is
// goes through as the peer's credit lets it, in the order in which the server sends it.
type path struct {
	mu      sync.Mutex
	more    sync.Cond
	allowed int
	sent    map[uint64]int // by stream
	ends    []uint64
	all     chan struct{} // closed once all have ended
}

// newPath reads n streams.
func newPath(t *testing.T, s *enginetest.Session, n int) *path {
	p := &path{sent: map[uint64]int{}, all: make(chan struct{})}
	p.more.L = &p.mu
	for range n {
		in, err := s.AcceptUniStream(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		id := uint64(in.StreamID())
		go func() {
			buf := make([]byte, 4<<10)
			for {
				p.mu.Lock()
				for p.allowed < len(buf) {
					p.more.Wait()
				}
				p.allowed -= len(buf)
				p.mu.Unlock()
				m, err := in.Read(buf)
				p.mu.Lock()
				p.allowed += len(buf) - m
				p.more.Broadcast()
				p.sent[id] += m
				if err != nil {
					p.ends = append(p.ends, id)
					if len(p.ends) == n {
						close(p.all)
					}
				}
				p.mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
	return p
}

// allow lets n bytes more through; whoever waits for a stream has 4 KiB of them in hand.
func (p *path) allow(n int) {
	p.mu.Lock()
	p.allowed += n
	p.more.Broadcast()
	p.mu.Unlock()
}

// of is how many bytes of a stream have gone through.
func (p *path) of(id uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[id]
}

// openRanked opens unidirectional streams with these groups and orders, has the client see all of them, and then writes size bytes on each.
func openRanked(t *testing.T, f *sessionFixture, s *enginetest.Session, h sink.Handle, size int, ranks [][2]int64) (ids []uint64, p *path) {
	t.Helper()
	hs := make([]sink.Handle, len(ranks))
	f.Await(func() {
		for i, r := range ranks {
			hs[i] = f.Give()
			f.session(h).OpenStream(hs[i], true, true)
			f.stream(hs[i]).SetPriority(uint32(r[0]), r[1])
		}
	})
	f.nth(sink.EventStreamOpened, len(ranks)-1)
	for i := range hs {
		ids = append(ids, f.wait("a stream", func(e event) bool { return e.Type == sink.EventStreamOpened && e.Object == hs[i] }).Aux)
	}
	p = newPath(t, s, len(ranks))
	f.Await(func() {
		for _, h := range hs {
			for left := size; left > 0; left -= 64 << 10 {
				f.stream(h).Write(sink.Chunk{Bytes: make([]byte, min(left, 64<<10))})
			}
			f.stream(h).End()
		}
	})
	eventually(t, "the writers", func() bool { return bytes.Count(stacks(), []byte("(*streamLine).Write(")) == len(ranks) })
	return ids, p
}

// slow is a client that gives its server little credit at a time.
func slow(o enginetest.Options) enginetest.Options {
	o.Dialect = enginetest.Draft15
	o.MaxStreamsUni, o.MaxStreamsBidi = 100, 100
	if o.MaxData == 0 {
		o.MaxData = 1 << 30
	}
	o.ConnWindow = 64 << 10
	return o
}

// More orders than QUIC has levels, asked for in any order: they end from the highest to the lowest.
func TestW21_OrderOnASlowPath(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, h := f.openSession(slow(enginetest.Options{}))
	orders := []int64{3, -7, 1 << 62, 0, 9, -1 << 62, 5, 4, 11, -3}
	var ranks [][2]int64
	for _, order := range orders {
		ranks = append(ranks, [2]int64{1, order})
	}
	ids, p := openRanked(t, f, s, h, 256<<10, ranks)
	p.allow(1 << 30)
	within(t, "the ends", p.all)
	var got []int64
	for _, id := range p.ends {
		got = append(got, orders[slices.Index(ids, id)])
	}
	want := slices.Clone(orders)
	slices.Sort(want)
	slices.Reverse(want)
	if !slices.Equal(got, want) {
		t.Errorf("they end in the order %v, want %v", got, want)
	}
}

// Groups share, whatever their orders: when half of all has gone through, neither of two has had less than a third of that.
func TestW21_GroupsShare(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, h := f.openSession(slow(enginetest.Options{}))
	const size = 1 << 20
	ids, p := openRanked(t, f, s, h, size, [][2]int64{{1, -1000}, {2, 1000}})
	p.allow(size + 16<<10)
	eventually(t, "half of all", func() bool { return p.of(ids[0])+p.of(ids[1]) >= size })
	if a, b := p.of(ids[0]), p.of(ids[1]); min(a, b) < size/3 {
		t.Errorf("one group has had %d bytes, the other %d", a, b)
	}
	p.allow(1 << 30)
	within(t, "the ends", p.all)
}

// The highest of a group is changed under way.
func TestW21_OrderThatChanges(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, h := f.openSession(slow(enginetest.Options{}))
	const size = 1 << 20
	ids, p := openRanked(t, f, s, h, size, [][2]int64{{0, 2}, {0, 1}})
	p.allow(256 << 10)
	eventually(t, "some of the first", func() bool { return p.of(ids[0]) > 100<<10 })
	second := f.wait("the second", func(e event) bool { return e.Type == sink.EventStreamOpened && e.Aux == ids[1] }).Object
	f.Await(func() { f.stream(second).SetPriority(0, 3) })
	p.allow(1 << 30)
	within(t, "the ends", p.all)
	if want := []uint64{ids[1], ids[0]}; !slices.Equal(p.ends, want) {
		t.Errorf("they end in the order %v, want %v", p.ends, want)
	}
}

// Atomic writes between ordinary ones: each is there as a whole, in its place, or not at all. What there is no room for leaves nothing
// behind, takes no credit, and holds nothing up.
func TestW21_AtomicWrites(t *testing.T) {
	f := serveSessions(t, "", nil)
	client := byHand(enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsUni: 10, MaxData: 1000})
	s, h := f.openSession(client)
	stream := f.Give()
	write := func(parts ...string) {
		f.Await(func() {
			for _, p := range parts {
				if b := []byte(p[1:]); p[0] == 'a' {
					f.stream(stream).WriteAtomic(sink.Chunk{Bytes: b})
				} else {
					f.stream(stream).Write(sink.Chunk{Bytes: b})
				}
			}
		})
	}
	rep := func(kind, c string, n int) string { return kind + string(bytes.Repeat([]byte(c), n)) }
	f.Await(func() { f.session(h).OpenStream(stream, true, false) })
	write(rep("a", "1", 100), rep("w", "2", 200), rep("a", "3", 300), rep("a", "X", 401), rep("w", "4", 400))
	in, err := s.AcceptUniStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		if err := in.SetReadDeadline(deadline()); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	expect(rep("", "1", 100) + rep("", "2", 200) + rep("", "3", 300) + rep("", "4", 400))
	write(rep("a", "X", 1), rep("w", "5", 5), rep("a", "6", 2)) // there is no credit left: the last one has to wait for its turn
	f.nth(sink.EventStreamAtomic, 3)
	readNothing(t, in)
	s.SendCapsule(enginetest.CapsuleMaxData, 1100)
	expect(rep("", "5", 5) + rep("", "6", 2))
	f.nth(sink.EventStreamAtomic, 4)
	write(rep("a", "X", 94), rep("a", "7", 93))
	expect(rep("", "7", 93))
	f.Await(func() { f.stream(stream).End() })
	if got, err := io.ReadAll(in); len(got) > 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	f.waitType(sink.EventStreamEnded)
	var codes []sink.Code
	f.mu.Lock()
	for _, e := range f.seen {
		if e.Type == sink.EventStreamAtomic {
			codes = append(codes, e.Code)
		}
	}
	f.mu.Unlock()
	want := []sink.Code{sink.OK, sink.OK, sink.ErrWouldBlock, sink.ErrWouldBlock, sink.OK, sink.ErrWouldBlock, sink.OK}
	if !slices.Equal(codes, want) {
		t.Errorf("outcomes %v, want %v", codes, want)
	}
}

// An atomic write of a stream that others are before is refused for want of room only.
func TestW21_AtomicWriteBehindOthers(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, h := f.openSession(enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsUni: 10, MaxData: 1 << 20, StreamWindow: 4000})
	busy, low := f.Give(), f.Give()
	f.Await(func() {
		for i, st := range []sink.Handle{busy, low} {
			f.session(h).OpenStream(st, true, false)
			f.stream(st).SetPriority(0, int64(-i))
		}
		f.stream(busy).Write(sink.Chunk{Bytes: make([]byte, 100<<10)}) // more than its window
	})
	eventually(t, "the busy one", func() bool { return f.stream(busy) != nil && s.Client().Conn.ConnectionStats().BytesReceived > 4000 })
	f.Await(func() { f.stream(low).WriteAtomic(sink.Chunk{Bytes: make([]byte, 1000)}) })
	if e := f.waitType(sink.EventStreamAtomic); e.Code != sink.OK || e.Aux != 1000 || e.Object != low {
		t.Errorf("%+v", e.Event)
	}
}

// What was committed arrives, although the stream is reset at once and the peer's credit is far away; what was written behind it need not.
func TestW21_CommitThenReset(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, h := f.openSession(slow(enginetest.Options{MaxData: 20 << 10}))
	stream := f.Give()
	data := pattern(100 << 10)
	f.Await(func() {
		f.session(h).OpenStream(stream, true, false)
		st := f.stream(stream)
		st.Write(sink.Chunk{Bytes: data[:60<<10]})
		st.Write(sink.Chunk{Bytes: data[60<<10:]})
		st.Commit()
		st.Write(sink.Chunk{Bytes: make([]byte, 1<<20)})
		st.Reset(77)
	})
	in, err := s.AcceptUniStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	in.SetReadDeadline(deadline())
	got, err := io.ReadAll(in)
	var reset *enginetest.StreamError
	if len(got) < len(data) || !bytes.Equal(got[:len(data)], data) || !errors.As(err, &reset) || reset.Code != 77 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if e := f.waitType(sink.EventStreamEnded); e.Code != sink.ErrCancelled {
		t.Errorf("%+v", e.Event)
	}
}
