package eventq

// A waiter is a bulk producer that stands in line for room.
type waiter struct {
	wake       chan struct{} // of capacity 1
	need       uint64
	prev, next *waiter
}

// A line holds waiters in the order they came. A waiter can leave from anywhere in it, at once: what gave up takes no memory.
type line struct{ first, last *waiter }

func (l *line) pushBack(w *waiter) {
	w.prev, w.next = l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *line) pushFront(w *waiter) {
	w.prev, w.next = nil, l.first
	if l.first == nil {
		l.last = w
	} else {
		l.first.prev = w
	}
	l.first = w
}

func (l *line) remove(w *waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// len counts the waiters.
func (l *line) len() int {
	n := 0
	for w := l.first; w != nil; w = w.next {
		n++
	}
	return n
}

// wait reserves for a bulk producer that found no room, or others waiting. One waiter at a time is let out of the line, when the
// room it needs is there; it takes that room under the lock and lets out the next. That a filler may make the next claim larger
// than it looks is thereby no case of its own, and nobody overtakes for ever.
func (q *Queue) wait(need uint64, n int, done <-chan struct{}) (Record, bool) {
	w := &waiter{wake: make(chan struct{}, 1), need: need}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.line.pushBack(w); ; q.line.pushFront(w) {
		if q.closed() {
			q.line.remove(w)
			return Record{}, false
		}
		q.pump()
		if q.granted != w {
			q.mu.Unlock()
			var gaveUp bool
			select {
			case <-w.wake:
			case <-done:
				gaveUp = true
			}
			q.mu.Lock()
			if q.closed() {
				return Record{}, false
			}
			if gaveUp {
				if q.granted == w {
					q.granted = nil
				} else {
					q.line.remove(w)
				}
				q.pump()
				return Record{}, false
			}
		} else {
			<-w.wake
		}
		q.granted = nil
		if pos, ok := q.claim(need, q.capacity, gateSpilling|gateClosed); ok {
			q.pump()
			return q.record(pos, need, n), true
		}
	}
}

// grant lets the first waiter out of the line if there is room for it.
func (q *Queue) grant() {
	w := q.line.first
	if w == nil || q.granted != nil || q.overflow.len() != 0 {
		return
	}
	tail := q.hdr.tail.Load()
	room := q.capacity - (tail - q.hdr.head.Load())
	need := w.need
	if rest := q.capacity - tail&q.mask; rest < need {
		need += rest
	}
	if int64(room) < int64(need) {
		return
	}
	q.line.remove(w)
	q.granted = w
	w.wake <- struct{}{}
}
