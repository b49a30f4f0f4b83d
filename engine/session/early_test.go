package session

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/wire"
)

// A fakeStream is a stream of QUIC's that remembers what it was cancelled with.
type fakeStream struct {
	sendSide
	receiveSide //lint:ignore U1000 it gives the methods that nobody calls here

	mu             sync.Mutex
	reset, stopped []http3.ErrCode
}

func (f *fakeStream) stops() []http3.ErrCode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stopped)
}

func (f *fakeStream) CancelWrite(code quic.StreamErrorCode) {
	f.mu.Lock()
	f.reset = append(f.reset, http3.ErrCode(code))
	f.mu.Unlock()
}

func (f *fakeStream) CancelRead(code quic.StreamErrorCode) {
	f.mu.Lock()
	f.stopped = append(f.stopped, http3.ErrCode(code))
	f.mu.Unlock()
}

func (f *fakeStream) Read([]byte) (int, error)                { panic("nothing of an early stream is read") }
func (f *fakeStream) Peek([]byte) (int, error)                { panic("nothing of an early stream is read") }
func (f *fakeStream) Context() context.Context                { return context.Background() }
func (f *fakeStream) StreamID() quic.StreamID                 { return 0 }
func (f *fakeStream) SetReadDeadline(time.Time) error         { return nil }
func (f *fakeStream) SetReceiveFinalSizeCallback(func(int64)) {}

// early makes one of a session's.
func early(kind uint32) (*fakeStream, *earlyStream) {
	f := &fakeStream{}
	e := &earlyStream{kind: kind, receive: f}
	if kind == Bidirectional {
		e.send = f
	}
	return f, e
}

func newTestSet(streams int) *Set {
	t := &Set{o: &Options{EarlyStreams: streams, EarlyTimeout: time.Second}}
	t.refresh.set = t
	_, t.cancel = context.WithCancel(context.Background())
	return t
}

// W18: so many streams as are allowed wait for their session, in their order, and each comes to its own. What is beyond is refused, both sides of it.
func TestW18_EarlyStreamsAreBounded(t *testing.T) {
	set := newTestSet(3)
	var streams []*fakeStream
	for i, id := range []uint64{4, 8, 4, 4} {
		f, e := early([]uint32{Bidirectional, Unidirectional, Unidirectional, Bidirectional}[i])
		streams = append(streams, f)
		if s := set.keep(id, e); s != nil {
			t.Fatal("there is no session")
		}
	}
	refused := []http3.ErrCode{wire.ErrCodeBufferedStreamRejected}
	for i, f := range streams {
		var want []http3.ErrCode
		if i == 3 {
			want = refused
		}
		if !slices.Equal(f.reset, want) || !slices.Equal(f.stopped, want) {
			t.Errorf("stream %d: reset %v, stopped %v, want %v", i, f.reset, f.stopped, want)
		}
	}
	s := &Session{id: 4}
	if !set.insert(s) || len(s.early) != 2 || s.early[0].receive != receiveSide(streams[0]) || s.early[1].receive != receiveSide(streams[2]) {
		t.Errorf("the session has %d of its streams", len(s.early))
	}
	if len(set.early) != 1 || set.early[0].session != 8 {
		t.Errorf("%d wait for the other one", len(set.early))
	}
	if want := [2]uint64{Bidirectional: 1}; s.flow.theirs != want || s.flow.theirsEnded != want {
		t.Errorf("of those refused %v count, %v as ended", s.flow.theirs, s.flow.theirsEnded)
	}
	if got := set.keep(4, streams[0].again()); got != s {
		t.Error("a later stream does not come to its session")
	}
	set.forget(s)
	f, e := early(Unidirectional)
	if set.keep(4, e); !slices.Equal(f.stopped, []http3.ErrCode{wire.ErrCodeSessionGone}) || f.reset != nil {
		t.Errorf("a stream behind the end of its session: %v, %v", f.stopped, f.reset)
	}
}

func (f *fakeStream) again() *earlyStream { return &earlyStream{kind: Unidirectional, receive: f} }

// W18: each early stream waits for as long as it may, and no longer; it counts in a session that comes all the same.
func TestW18_EarlyStreamsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := newTestSet(10)
		first, e := early(Unidirectional)
		set.keep(4, e)
		time.Sleep(600 * time.Millisecond)
		second, e := early(Unidirectional)
		set.keep(4, e)
		for _, c := range []struct {
			sleep         time.Duration
			first, second int
		}{{399 * time.Millisecond, 0, 0}, {time.Millisecond, 1, 0}, {599 * time.Millisecond, 1, 0}, {time.Millisecond, 1, 1}} {
			time.Sleep(c.sleep)
			synctest.Wait()
			if len(first.stops()) != c.first || len(second.stops()) != c.second {
				t.Errorf("refused: %v, %v", first.stops(), second.stops())
			}
		}
		if !slices.Equal(second.stops(), []http3.ErrCode{wire.ErrCodeBufferedStreamRejected}) {
			t.Errorf("with %v", second.stops())
		}
		s := &Session{id: 4}
		set.insert(s)
		if len(s.early) != 0 || s.flow.theirsEnded[Unidirectional] != 2 {
			t.Errorf("the session has %d, and counts %d as ended", len(s.early), s.flow.theirsEnded[Unidirectional])
		}
		third, e := early(Unidirectional) // the timer runs again
		set.keep(8, e)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(third.stops()) != 1 || waiting(set) != 0 {
			t.Errorf("the third: %v; %d wait", third.stops(), waiting(set))
		}
	})
}

// The connection's end refuses what waits, and what still comes.
func TestEarlyStreamsOfAConnectionThatGoes(t *testing.T) {
	set := newTestSet(10)
	first, e := early(Bidirectional)
	set.keep(4, e)
	set.Lost()
	second, e := early(Bidirectional)
	set.keep(4, e)
	gone := []http3.ErrCode{wire.ErrCodeSessionGone}
	for i, f := range []*fakeStream{first, second} {
		if !slices.Equal(f.reset, gone) || !slices.Equal(f.stopped, gone) {
			t.Errorf("%d: %v, %v", i, f.reset, f.stopped)
		}
	}
	if set.insert(&Session{id: 4}) {
		t.Error("a session is taken up")
	}
}

// A stream of ours that ends while it waits for QUIC's limit waits no longer, and takes no credit with it.
func TestStreamThatIsGivenUpWhileItWaits(t *testing.T) {
	set := newTestSet(0)
	s := &Session{set: set, ending: true, finished: true}
	s.flow.begin(true, wire.Limits{}, wire.Limits{StreamsUni: 2})
	first, second := newStream(s, Unidirectional), newStream(s, Unidirectional)
	for _, st := range []*Stream{first, second} {
		st.ours = true
		s.flow.open(Unidirectional)
		set.opening[Unidirectional].waiting = append(set.opening[Unidirectional].waiting, st)
	}
	s.remove(first)
	if q := set.opening[Unidirectional].waiting; len(q) != 1 || q[0] != second || s.flow.opened[Unidirectional] != 1 {
		t.Errorf("%d wait, %d count", len(q), s.flow.opened[Unidirectional])
	}
}

// A peer that refers to ever new sessions makes nothing grow.
func TestRefusalsAreBounded(t *testing.T) {
	set := newTestSet(0)
	for id := range uint64(1000) {
		_, e := early(Unidirectional)
		set.keep(id*4, e)
	}
	s := &Session{id: 999 * 4}
	set.insert(s)
	if set.refusals != 1000 || s.flow.theirs[Unidirectional] != 1 {
		t.Errorf("%d refusals, %d of the last session", set.refusals, s.flow.theirs[Unidirectional])
	}
}

func waiting(set *Set) int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return len(set.early)
}
