package link

import (
	"sync"
	"testing"

	"zigh3/engine/sink"
)

func idle(t *testing.T, s *Spares, want int32) {
	t.Helper()
	eventually(t, "as many spares as there are to be", func() bool { return s.idle.Load() == want })
}

func TestSpares(t *testing.T) {
	s := NewSpares()
	ran := make(chan int, 1)
	s.do(job{"before", func() { ran <- 0 }})
	<-ran
	done := make(chan struct{})
	s.Until(done)
	for i := range 3 { // one after the other: one goroutine does it all
		s.do(job{"one", func() { ran <- i }})
		if n := <-ran; n != i {
			t.Errorf("job %d ran instead of %d", n, i)
		}
		idle(t, s, 1)
	}
	held := make(chan struct{})
	var all sync.WaitGroup
	all.Add(mostSpares + 9)
	for range mostSpares + 9 {
		s.do(job{"many", func() { all.Done(); <-held }})
	}
	all.Wait()
	idle(t, s, 0)
	close(held)
	idle(t, s, mostSpares)
	close(done)
	idle(t, s, 0)
	s.do(job{"after", func() { ran <- 9 }})
	if n := <-ran; n != 9 {
		t.Errorf("job %d ran instead of 9", n)
	}
	idle(t, s, 0)
}

func TestSpareIsThereAfterAFault(t *testing.T) {
	faults := make(chan string, 1)
	sink.SetFaultHandler(func(name string, value any, _ []byte) { faults <- name + ": " + value.(string) })
	defer sink.SetFaultHandler(nil)
	s := NewSpares()
	done := make(chan struct{})
	defer close(done)
	s.Until(done)
	s.do(job{"broken", func() { panic("no") }})
	if got := <-faults; got != "broken: no" {
		t.Errorf("the fault was told as %q", got)
	}
	idle(t, s, 1)
}
