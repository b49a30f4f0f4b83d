package main

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

func TestHandlesFitADouble(t *testing.T) {
	h, ok := issue(kindConn, 0)
	if !ok || h == 0 || h >= 1<<53 {
		t.Fatalf("issue gave %#x, %v", h, ok)
	}
	release(h)
}

func TestAReleasedHandleIsNotIssuedAgain(t *testing.T) {
	seen := map[uint64]bool{}
	for range 1000 {
		h, _ := issue(kindConn, 0)
		if seen[h] {
			t.Fatalf("%#x was issued twice", h)
		}
		seen[h] = true
		release(h)
	}
}

func TestReleasingTwiceGivesOneSlotBack(t *testing.T) {
	h, _ := issue(kindConn, 0)
	release(h)
	release(h)
	a, _ := issue(kindConn, 0)
	b, _ := issue(kindConn, 0)
	if indexOf(a) == indexOf(b) {
		t.Fatalf("%#x and %#x share a slot", a, b)
	}
	release(a)
	release(b)
}

// issueAwake gives a handle whose slot is the next one to be issued again, once it is released.
func issueAwake() uint64 {
	for {
		h, _ := issue(kindConn, 0)
		if h>>generationShift%slotWaking != 0 {
			return h
		}
		release(h)
	}
}

// A slot that is used over and over rests now and then, so that all are used, and none goes round soon.
func TestSlotsRest(t *testing.T) {
	seen := map[uint32]bool{}
	for range 4 * slotWaking {
		h, _ := issue(kindConn, 0)
		seen[indexOf(h)] = true
		release(h)
	}
	if len(seen) < 4 {
		t.Fatalf("%d slots in %d issues", len(seen), 4*slotWaking)
	}
}

func TestGenerationsGoRoundPastZero(t *testing.T) {
	h := issueAwake()
	p := &slots[indexOf(h)]
	release(h)
	p.word.Store(generationMask << generationShift)
	again, _ := issue(kindConn, 0)
	if indexOf(again) != indexOf(h) {
		t.Fatalf("slot %d, not the one just released (%d)", indexOf(again), indexOf(h))
	}
	if got := again >> generationShift & generationMask; got != 1 {
		t.Fatalf("generation %d, not 1", got)
	}
	release(again)
}

func TestAHandleStaysStaleWhileItsSlotIsUsedAgainMillionsOfTimes(t *testing.T) {
	h := issueAwake()
	p := &slots[indexOf(h)]
	release(h)
	p.word.Store(h&^kindMask&^(slotCount-1) + (1<<24-1)<<generationShift&^kindMask)
	again, _ := issue(kindConn, 0)
	if again == h {
		t.Fatalf("%#x was issued again", h)
	}
	release(again)
}

// What a call of the host's forgets is not told of, even if the engine has heard nothing of the call yet.
func TestReleaseSaysWhetherTheHostHasForgotten(t *testing.T) {
	s, _ := testSink(t, 1000)
	kept, forgotten := issueRequest(t, s), issueRequest(t, s)
	slots[indexOf(forgotten)].word.Or(1<<1 | 1<<6 | 1<<5) // SLOT_FORGOTTEN, _ENDED, _GONE: zig_h3_response_send
	if !s.Release(sink.Handle(kept)) {
		t.Error("one that was kept is not wanted")
	}
	if s.Release(sink.Handle(forgotten)) {
		t.Error("one that was forgotten is wanted")
	}
}

func TestAnObjectIsFoundUntilItsRelease(t *testing.T) {
	r, s := new(server.Request), new(queueSink)
	issued, _ := s.Issue(sink.KindRequest, 0, r)
	h := uint64(issued)
	if got, of := objectOf[server.Request](h, kindRequest); got != r || of != s {
		t.Fatal("not the request that was issued")
	}
	if got, _ := objectOf[session.Stream](h, kindStream); got != nil {
		t.Fatal("a request was taken for a stream")
	}
	release(h)
	if got, _ := objectOf[server.Request](h, kindRequest); got != nil {
		t.Fatal("found after its release")
	}
	next, _ := s.Issue(sink.KindRequest, 0, new(server.Request))
	if got, _ := objectOf[server.Request](h, kindRequest); got != nil {
		t.Fatal("found under the handle of an earlier one")
	}
	release(uint64(next))
}

// A slot that a host thread holds is given back by that thread: until then nobody else gets it.
func TestAReleaseLeavesALockedSlotToItsHolder(t *testing.T) {
	h, _ := issue(kindConn, 0)
	p := &slots[indexOf(h)]
	p.word.Or(1) // SLOT_LOCKED
	release(h)
	next, _ := issue(kindConn, 0)
	if indexOf(next) == indexOf(h) {
		t.Fatal("a locked slot was issued")
	}
	release(next)
	p.word.And(^uint64(1))
	giveSlot(indexOf(h))
}

// What a server's slot points to is in use as long as a host thread is inside.
func TestRetiringWaitsForTheHostThreadInside(t *testing.T) {
	h, _ := issue(kindServer, 64)
	p := &slots[indexOf(h)]
	p.word.Or(1) // SLOT_LOCKED
	done := make(chan struct{})
	go func() {
		defer close(done)
		retire(h)
	}()
	for p.word.Load()&2 == 0 { // SLOT_FORGOTTEN: nobody else comes in
		runtime.Gosched()
	}
	time.Sleep(5 * time.Millisecond)
	if p.object.Load() != 64 || (p.word.Load()^h)&nameMask != 0 {
		t.Error("the slot was given up with a thread inside")
	}
	p.word.And(^uint64(1))
	<-done
	if p.object.Load() != 0 || p.word.Load()&kindMask != 0 {
		t.Error("the slot was not given up")
	}
}

func TestIssuersNeverShareASlot(t *testing.T) {
	var wg sync.WaitGroup
	var owners [1 << 12]sync.Mutex
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				h, ok := issue(kindConn, 0)
				if !ok {
					t.Error("no slot left")
					return
				}
				if o := &owners[indexOf(h)%uint32(len(owners))]; o.TryLock() {
					o.Unlock()
				} else {
					t.Error("two own one slot")
				}
				release(h)
			}
		})
	}
	wg.Wait()
}
