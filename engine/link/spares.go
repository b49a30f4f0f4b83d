package link

import (
	"sync/atomic"

	"zigh3/engine/sink"
)

// mostSpares is how many goroutines without work wait for some: as many as a busy server ends and begins between two turns of its threads.
const mostSpares = 64

// Spares are goroutines that have done their work and wait for more, for what is short and comes often: a session that is opened and closed
// has one, and the stack that reading has grown once need not be grown, and copied, for the next. Any goroutine may use them.
type Spares struct {
	jobs  chan job
	idle  atomic.Int32
	until atomic.Pointer[<-chan struct{}]
}

// A job is what a goroutine runs, and what it is called in a fault.
type job struct {
	name string
	run  func()
}

// NewSpares makes the spares of a server or client, none yet.
func NewSpares() *Spares { return &Spares{jobs: make(chan job)} }

// Until keeps those that are spare from now on until done is closed. Before its first call there are none.
func (s *Spares) Until(done <-chan struct{}) { s.until.Store(&done) }

// do runs j on a goroutine of its own, an old one if there is one.
func (s *Spares) do(j job) {
	select {
	case s.jobs <- j:
	default:
		go sink.Guard(j.name, func() { s.work(j) })
	}
}

func (s *Spares) work(j job) {
	for {
		sink.Guard(j.name, j.run)
		j = job{}
		until := s.until.Load()
		if until == nil {
			return
		}
		if s.idle.Add(1) > mostSpares {
			s.idle.Add(-1)
			return
		}
		select {
		case j = <-s.jobs:
			s.idle.Add(-1)
		case <-*until:
			s.idle.Add(-1)
			return
		}
	}
}
