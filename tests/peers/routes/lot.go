package routes

import "sync"

// lot is where requests to /wait stand until all of them are let go.
type lot struct {
	mu   sync.Mutex
	n    int
	gate chan struct{}
}

func (l *lot) enter() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == nil {
		l.gate = make(chan struct{})
	}
	l.n++
	return l.gate
}

func (l *lot) leave(gate <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == gate { // not yet let go
		l.n--
	}
}

func (l *lot) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *lot) release() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.n
	if l.gate != nil {
		close(l.gate)
		l.gate = nil
	}
	l.n = 0
	return n
}
