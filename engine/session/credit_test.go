package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/link"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// nothing is what a connection carries that no peer speaks on.
type nothing struct{ link.Carried }

// newTestSession makes one with flow control on a connection of which nobody reads. It is not open: what its peer is to be told stays in due.
// What it emits is never handled.
func newTestSession(t testing.TB, own, peer wire.Limits) (*Session, *enginetest.Consumer) {
	t.Helper()
	_, q := enginetest.Pair(t, nil, nil)
	consumer := enginetest.NewConsumer(t, nil)
	consumer.Stall(true)
	c := new(link.Conn)
	c.Init(&link.Env{Parent: 1, Stats: new(sink.Stats), Spares: link.NewSpares(), Sweeper: link.NewSweeper(), ResetPeriod: time.Hour}, q, consumer, nothing{})
	set := newTestSet(3)
	set.c = c
	s := &Session{set: set, c: c}
	s.flow.begin(true, own, peer)
	return s, consumer
}

// A sizedStream is a peer's stream whose length comes when the test says it.
type sizedStream struct {
	fakeStream
	ended func(size int64)
}

func (f *sizedStream) SetReceiveFinalSizeCallback(ended func(int64)) { f.ended = ended }

// What came and found no room until nobody wanted it any more is credit again: else a session whose consumer is slow would run dry.
func TestW07_BytesThatFindNoRoomAreCreditAgain(t *testing.T) {
	s, consumer := newTestSession(t, wire.Limits{Data: 1000}, wire.Limits{})
	consumer.SetCapacity(1)
	if _, ok := consumer.Reserve(sink.Bulk, 1, nil); !ok {
		t.Fatal("no record")
	}
	st := newStream(s, Bidirectional)
	if err := st.deliver(make([]byte, 400), false, finished); err != errGone {
		t.Fatalf("delivered: %v", err)
	}
	if s.flow.received != 400 || s.due.maxData != 1400 {
		t.Errorf("%d bytes count, and the peer is told %d", s.flow.received, s.due.maxData)
	}
}

// Of a stream that nobody reads, the bytes behind its header come back as credit, no more and no less, and once.
func TestW07_CreditOfWhatIsNeverReadIsWithoutTheHeader(t *testing.T) {
	for _, last := range []bool{false, true} {
		t.Run(fmt.Sprint("its length comes behind its end: ", last), func(t *testing.T) {
			s, _ := newTestSession(t, wire.Limits{Data: 1000}, wire.Limits{})
			st, f := newStream(s, Unidirectional), new(sizedStream)
			st.receive = f
			st.startReading()
			st.watchSize(3)
			if last {
				st.settleFlow()
				f.ended(403)
			} else {
				f.ended(403)
				st.settleFlow()
			}
			done := func() uint64 {
				s.flow.mu.Lock()
				defer s.flow.mu.Unlock()
				return s.flow.done
			}
			for end := time.Now().Add(enginetest.Patience); done() < 400 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			st.settleUnread()
			if s.flow.received != 400 || done() != 400 {
				t.Errorf("%d bytes count, %d are credit again", s.flow.received, done())
			}
		})
	}
}

// sized makes an early stream of the peer's whose length comes when the test says it.
func sized(kind uint32, header int) (*sizedStream, *earlyStream) {
	f := new(sizedStream)
	return f, &earlyStream{kind: kind, receive: f, header: header}
}

// done waits until so many bytes are credit again.
func (s *Session) done(t *testing.T, n uint64) {
	t.Helper()
	for end := time.Now().Add(enginetest.Patience); ; time.Sleep(time.Millisecond) {
		s.flow.mu.Lock()
		received, done := s.flow.received, s.flow.done
		s.flow.mu.Unlock()
		if received == n && done == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes count, %d are credit again, want %d", received, done, n)
		}
	}
}

// W20: the bytes of streams that are refused are the peer's to count, and credit again: with a session that is there, before it and after it has come.
func TestW20_BytesOfRefusedStreamsAreCreditAgain(t *testing.T) {
	s, consumer := newTestSession(t, wire.Limits{Data: 1000, StreamsUni: 100}, wire.Limits{})
	consumer.SetFull(true)
	f, e := sized(Unidirectional, 3)
	s.announce(*e)
	f.ended(103)
	s.done(t, 100)

	set := s.set
	set.o = &Options{EarlyStreams: 0, EarlyTimeout: time.Second}
	f, e = sized(Unidirectional, 3)
	s.arrived(*e) // it is not open, and nothing may wait for that
	f.ended(53)
	s.done(t, 150)

	before, e := sized(Unidirectional, 3)
	late, other := sized(Unidirectional, 3)
	set.keep(8, e)
	set.keep(8, other)
	before.ended(203)
	for end := time.Now().Add(enginetest.Patience); ; time.Sleep(time.Millisecond) {
		set.mu.Lock()
		n := set.refused[0].bytes
		set.mu.Unlock()
		if n == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes are remembered", n)
		}
	}
	next := &Session{set: set, c: s.c, id: 8}
	if !set.insert(next) {
		t.Fatal("no session")
	}
	next.flow.begin(true, wire.Limits{Data: 400}, wire.Limits{})
	if limit := next.flow.consumed(0); limit != 600 {
		t.Errorf("once it is open the peer is told %d", limit)
	}
	late.ended(103)
	next.done(t, 300)
	bad, e := sized(Bidirectional, 2)
	e.send = new(fakeStream)
	e.refuse(wire.ErrCodeSessionGone, next.unread)
	bad.ended(2) // nothing behind the header
	next.done(t, 300)
}

// W20: limits that are raised on two goroutines go out in their order, whichever of them is told first.
func TestW20_ALimitIsNeverToldBehindAHigherOne(t *testing.T) {
	s, _ := newTestSession(t, wire.Limits{Data: 1000, StreamsUni: 1, StreamsBidi: 1}, wire.Limits{})
	for what := range uint32(3) {
		for _, limit := range []uint64{20, 10, 20} {
			s.grant(what, limit)
		}
	}
	want := dueCapsules{maxData: 20, maxStreams: [2]uint64{20, 20}}
	if s.due != want {
		t.Errorf("the peer is told %+v", s.due)
	}
	s.due.take()
	for what := range uint32(3) {
		s.grant(what, 15)
	}
	if s.due != (dueCapsules{}) {
		t.Errorf("behind that it is told %+v", s.due)
	}
	s.grant(ofBytes, 21)
	if s.due.maxData != 21 {
		t.Errorf("and then %+v", s.due)
	}
}

// A consumer that gives credit for more than it has gives what it has.
func TestW07_CreditForMoreThanCame(t *testing.T) {
	s, _ := newTestSession(t, wire.Limits{Data: 1000}, wire.Limits{})
	st := newStream(s, Unidirectional)
	st.receive = new(sizedStream)
	st.startReading()
	if err := st.deliver(make([]byte, 400), false, nil); err != nil {
		t.Fatal(err)
	}
	st.Consumed(250)
	st.Consumed(1000)
	st.Consumed(1000)
	if s.flow.done != 400 {
		t.Errorf("%d bytes are credit again", s.flow.done)
	}
}

// A stream that the consumer cannot be told of counts as one that has ended: the peer may open another.
func TestW16_AStreamThatFindsNoHandleMakesRoom(t *testing.T) {
	s, consumer := newTestSession(t, wire.Limits{StreamsBidi: 5, StreamsUni: 1}, wire.Limits{})
	consumer.SetFull(true)
	f, e := early(Unidirectional)
	s.announce(*e)
	if len(f.stopped) != 1 || f.stopped[0] != wire.ErrCodeSessionGone {
		t.Errorf("stopped with %v", f.stopped)
	}
	if want := [2]uint64{Unidirectional: 2}; s.due.maxStreams != want {
		t.Errorf("the peer is told %d, want %d", s.due.maxStreams, want)
	}
}

// Each limit, of bytes and of each kind of streams, lets the peer say once that it holds it up, and once more whenever it was raised; what it
// says beyond that is on its budget.
func TestW24_BlockedCountsForItsOwnLimit(t *testing.T) {
	for typ, raised := range map[uint64]int{wire.CapsuleStreamsBlockedBidi: 1, wire.CapsuleStreamsBlockedUni: 2, wire.CapsuleDataBlocked: 3} {
		s, _ := newTestSession(t, wire.Limits{Data: 1000, StreamsBidi: 1, StreamsUni: 1}, wire.Limits{})
		for i := range 3 {
			if i < 1 {
				s.flow.theirStreamEnded(Bidirectional)
			}
			if i < 2 {
				s.flow.theirStreamEnded(Unidirectional)
			}
			s.flow.consumed(1000)
		}
		said := 0
		for ; s.capsule(wire.Capsule{Type: typ}) == nil; said++ {
			if said > 10 {
				break
			}
		}
		if said != raised+1 {
			t.Errorf("capsule %#x: said %d times, want %d", typ, said, raised+1)
		}
	}
}

// The peer hears once that a limit of its is used up, and again of the next limit.
func TestW16_BlockedIsSaidOncePerLimit(t *testing.T) {
	s, _ := newTestSession(t, wire.Limits{}, wire.Limits{})
	says := func(what uint32, limit uint64) string {
		s.tellBlocked(what, limit)
		return string(s.due.take())
	}
	capsule := func(typ, limit uint64) string { return string(wire.AppendCapsuleVarint(nil, typ, limit)) }
	for i, c := range []struct {
		what  uint32
		limit uint64
		want  string
	}{
		{ofBytes, 0, capsule(wire.CapsuleDataBlocked, 0)},
		{ofBytes, 0, ""},
		{Unidirectional, 0, capsule(wire.CapsuleStreamsBlockedUni, 0)},
		{ofBytes, 0, ""},
		{ofBytes, 100, capsule(wire.CapsuleDataBlocked, 100)},
		{Bidirectional, 100, capsule(wire.CapsuleStreamsBlockedBidi, 100)},
		{ofBytes, 100, ""},
		{Unidirectional, 0, ""},
		{Unidirectional, 1, capsule(wire.CapsuleStreamsBlockedUni, 1)},
	} {
		if got := says(c.what, c.limit); got != c.want {
			t.Errorf("%d: the peer is told %x, want %x", i, got, c.want)
		}
	}
}

// A newlyOpened is a stream of QUIC's that was opened just now.
type newlyOpened struct{ fakeStream }

func (*newlyOpened) Write(p []byte) (int, error) { return len(p), nil }
func (*newlyOpened) SetReliableBoundary()        {}

// A stream that was stopped and reset while QUIC opened it is given up with the consumer's codes.
func TestW06_CodesOfAStreamThatIsGivenUpWhileItOpens(t *testing.T) {
	s, consumer := newTestSession(t, wire.Limits{}, wire.Limits{StreamsBidi: 1})
	st := newStream(s, Bidirectional)
	st.ours, st.handle = true, consumer.Give()
	consumer.IssueFor(st.handle, st)
	st.Stop(7)
	st.Reset(8)
	f := new(newlyOpened)
	st.opened(f, f)
	want := func(code uint32) string { return fmt.Sprint([]http3.ErrCode{http3.ErrCode(wire.WTCode(code))}) }
	if fmt.Sprint(f.stopped) != want(7) || fmt.Sprint(f.reset) != want(8) {
		t.Errorf("stopped with %v and reset with %v", f.stopped, f.reset)
	}
}
