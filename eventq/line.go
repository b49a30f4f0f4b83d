package eventq

// A waiter is a bulk producer that stands in line for room.
type waiter struct {
	wake       chan struct{} // of capacity 1
	need       uint64
	arrival    uint64
	out        bool // let out of the line
	overtaken  bool // was let out, and others took the room
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

// pushBefore puts w back before all that came later.
func (l *line) pushBefore(w *waiter) {
	next := l.first
	for next != nil && next.arrival < w.arrival {
		next = next.next
	}
	if next == nil {
		l.pushBack(w)
		return
	}
	w.prev, w.next = next.prev, next
	if next.prev == nil {
		l.first = w
	} else {
		next.prev.next = w
	}
	next.prev = w
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

// wait reserves for a bulk producer that found no room, or others waiting.
func (q *Queue) wait(need uint64, n int, done <-chan struct{}) (Record, bool) {
	w := &waiter{wake: make(chan struct{}, 1), need: need}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() {
		return Record{}, false
	}
	w.arrival = q.arrivals
	q.arrivals++
	for q.line.pushBack(w); ; q.line.pushBefore(w) {
		q.refill()
		gaveUp := false
		if !w.out {
			q.mu.Unlock()
			select {
			case <-w.wake:
			case <-done:
				gaveUp = true
			}
			q.mu.Lock()
		} else {
			<-w.wake
		}
		q.leave(w)
		if q.closed() {
			return Record{}, false
		}
		if !gaveUp {
			if pos, ok := q.claim(need, q.capacity, gateSpilling|gateClosed); ok {
				q.refill()
				return q.record(pos, need, n), true
			}
			w.overtaken = true
			continue
		}
		q.refill() // the room that w was to have is for the next
		return Record{}, false
	}
}

// leave takes w out of all accounts, wherever it is.
func (q *Queue) leave(w *waiter) {
	if !w.out {
		if !q.closed() { // Close has emptied the line
			q.line.remove(w)
		}
		return
	}
	w.out = false
	q.out--
	q.promised -= w.need
	if q.alone == w {
		q.alone = nil
	}
}

// grant lets waiters out of the line, as many as there is room for. When all are out the gate opens: producers that go on at full
// speed then need no wake-up for each record. One that was overtaken in this way is let out alone the next time, with the gate
// shut behind it, so that nobody waits for ever.
func (q *Queue) grant() {
	tail := q.hdr.tail.Load() + q.promised
	end := q.hdr.head.Load() + q.capacity
	for q.overflow.len() == 0 && q.alone == nil && q.line.first != nil {
		w := q.line.first
		if rest := q.capacity - tail&q.mask; rest < w.need {
			tail += rest
		}
		if tail += w.need; int64(end-tail) < 0 {
			return
		}
		if w.overtaken {
			if q.out != 0 {
				return
			}
			q.alone = w
		}
		q.line.remove(w)
		w.out = true
		q.out++
		q.promised += w.need
		w.wake <- struct{}{}
	}
}
