package server

import (
	"sync"
	"time"
)

// A byteBudget is how many bytes a server may hold of something, over all connections.
type byteBudget struct {
	mu    sync.Mutex
	left  int64
	freed chan struct{} // closed when left grows; nil: nobody waits for that
}

// take takes n bytes, waiting for at most wait. It reports false when there were none in that time, or done is closed.
func (b *byteBudget) take(n int64, done <-chan struct{}, wait time.Duration) bool {
	b.mu.Lock()
	if n <= b.left {
		b.left -= n
		b.mu.Unlock()
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for n > b.left {
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-done:
			return false
		case <-timer.C:
			return false
		}
		b.mu.Lock()
	}
	b.left -= n
	b.mu.Unlock()
	return true
}

// give gives n bytes back.
func (b *byteBudget) give(n int64) {
	b.mu.Lock()
	b.left += n
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
	b.mu.Unlock()
}
