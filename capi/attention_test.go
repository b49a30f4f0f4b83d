package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"zigh3/engine/server"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

// callAttention is insist_by_attention of insist.c for a test, which cannot call it.
func callAttention(h, bits uint64) {
	p := &slots[indexOf(h)]
	generation := h & (generationMask << generationShift)
	for {
		now := p.attention.Load()
		next := generation | bits
		if now>>generationShift == generation>>generationShift {
			next |= now
		}
		if !p.attention.CompareAndSwap(now, next) {
			continue
		}
		if now == 0 {
			for head := table.attention.Load(); ; head = table.attention.Load() {
				p.nextAttention.Store(head)
				if table.attention.CompareAndSwap(head, indexOf(h)+1) {
					break
				}
			}
		}
		return
	}
}

const (
	attentionWritable = 1 << 0
	attentionConsumed = 1 << 1
)

// holdReactor keeps the reactor, which runs in tests, too, from looking at the stack until the test ends: it waits for the registry's lock.
func holdReactor(t *testing.T) {
	t.Helper()
	registry.Lock()
	t.Cleanup(func() {
		registry.Unlock()
		reactorLooks(t) // or the next test would lock it before the reactor is through
	})
	reactorLooks(t)
}

// reactorLooks waits until the reactor has looked at the stack.
func reactorLooks(t *testing.T) {
	t.Helper()
	h, ok := issue(kindStream, 0)
	if !ok {
		t.Fatal("no slot left")
	}
	release(h)
	callAttention(h, attentionConsumed)
	callReactor()
	for deadline := time.Now().Add(time.Minute); slots[indexOf(h)].attention.Load() != 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the reactor does not look")
		}
	}
}

func TestAttentionForAKindThatAsksForNoneIsNotPassedOver(t *testing.T) {
	s, _ := testSink(t, 1000)
	holdReactor(t)
	h, _ := s.Issue(sink.KindConn, 0, sender{})
	defer s.Release(h)
	callAttention(uint64(h), attentionConsumed)
	defer func() {
		if told := recover(); told != "attention for a handle of kind 3" {
			t.Fatalf("%v", told)
		}
	}()
	attend()
}

func TestAttentionForAnObjectThatHasEndedIsForNobody(t *testing.T) {
	s, _ := testSink(t, 1000)
	holdReactor(t)
	h, _ := s.Issue(sink.KindConn, 0, sender{})
	callAttention(uint64(h), attentionConsumed)
	s.Release(h)
	attend()
	if table.attention.Load() != 0 {
		t.Fatal("something is left on the stack")
	}
}

// An object that ends while the reactor is on its way to it leaves its place on the stack to the one that gets its slot.
func TestAttentionForTheNextOwnerOfASlotIsNotTakenForThatOfTheLast(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	s, ring := testSink(t, 1000)
	var stop atomic.Bool
	var rounds atomic.Uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			attend()
			rounds.Add(1)
		}
	}()
	lost, writers, begun, long := 0, 10_000, time.Now(), 10*time.Second
	if os.Getenv("H3_STRESS") == "1" {
		writers, long = 500_000, time.Hour
	}
	for n := range writers {
		if n >= 1000 && time.Since(begun) > long { // where both goroutines wait for a processor each round takes a while
			writers = n
			break
		}
		ended := issueRequest(t, s)
		callAttention(ended, attentionConsumed)
		release(ended)
		h := issueRequest(t, s)
		slots[indexOf(h)].credit.Store(1) // refused, and nothing waits any more
		callAttention(h, attentionWritable)
		for seen := rounds.Load(); rounds.Load() < seen+2; {
			runtime.Gosched()
		}
		told := 0
		ring.Drain(0, func(head *eventq.Head, _ []byte) {
			if head.Object == h {
				told++
			}
		})
		if told != 1 {
			lost++
		}
		release(h)
	}
	stop.Store(true)
	<-done
	if lost != 0 {
		t.Errorf("%d of %d writers were never told", lost, writers)
	}
}

// release takes what an entry holds away before it makes the handle stale: whoever looks in between finds an object that has ended.
func TestAnObjectOnItsWayOutIsNotFound(t *testing.T) {
	s, _ := testSink(t, 1000)
	h := issueRequest(t, s)
	entryOf(indexOf(h)).sink.Store(nil)
	if request, sink := objectOf[server.Request](h, kindRequest); request != nil || sink != nil {
		t.Errorf("found %v, with the sink %v", request, sink)
	}
	release(h)
}
