package eventq

import (
	"bytes"
	"time"
)

// spill commits a record that had no room in the ring, or found others in the FIFO before it.
func (q *Queue) spill(h *Head, payload []byte) {
	if len(payload) < cap(payload)/2 {
		payload = bytes.Clone(payload) // the FIFO should not hold what was only reserved
	}
	s := &spilled{head: *h, payload: payload}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() {
		return
	}
	q.overflow.add(s)
	q.overflowMax = max(q.overflowMax, q.overflow.len())
	q.bytes += uint64(len(payload))
	q.refill()
}

// Overflow gives how many records wait beside the ring.
func (q *Queue) Overflow() int {
	if q.gate.Load()&gateSpilling == 0 {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overflow.len()
}

// Refill moves what overflowed to the ring and lets bulk producers go on, as far as there is room. Call it when the consumer rang.
func (q *Queue) Refill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed() {
		q.refill()
		q.tellRoom()
	}
}

// tellRoom lets those try again who wait for room. q.mu is held.
func (q *Queue) tellRoom() {
	if q.room != nil {
		close(q.room)
		q.room = nil
		q.gateBit(gateRoom, false)
	}
}

// refill is Refill under the lock. While something stays behind, hungry is set: then the consumer rings once it has made room.
func (q *Queue) refill() {
	q.setGate()
	q.move()
	q.grant()
	if q.overflow.len() != 0 || q.line.first != nil {
		// Room that was freed before the consumer could see this is found by looking again.
		q.askForBell()
		q.move()
		q.grant()
	}
	q.setGate()
}

// move takes records from the FIFO to the ring while there is room.
func (q *Queue) move() {
	for q.overflow.len() != 0 {
		s := q.overflow.first()
		pos, ok := q.claim(s.need(), q.capacity, gateClosed)
		if !ok {
			return
		}
		copy(q.payload(pos, uint64(len(s.payload))), s.payload)
		q.publish(pos, headSize+uint64(len(s.payload)), &s.head)
		q.bytes -= uint64(len(s.payload))
		q.overflow.remove()
	}
}

// setGate tells the producers what they have to stand behind. A record may go to the ring directly again only after the last of
// the FIFO has claimed its place there.
func (q *Queue) setGate() {
	q.gateBit(gateSpilling, q.overflow.len() != 0)
	q.gateBit(gateWaiting, q.line.first != nil || q.alone != nil)
	switch backlog := q.overflow.len() != 0 || q.line.first != nil; {
	case !backlog:
		q.since = time.Time{}
	case q.since.IsZero():
		q.since, q.sinceAt = time.Now(), q.hdr.head.Load()
	}
}

// Stalled is for how long the consumer has taken nothing though something waits for room: since that came, or since it was last seen here
// to have taken something. 0 when nothing waits.
func (q *Queue) Stalled() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() || q.since.IsZero() {
		return 0
	}
	if head := q.hdr.head.Load(); head != q.sinceAt {
		q.since, q.sinceAt = time.Now(), head
	}
	return time.Since(q.since)
}

func (q *Queue) gateBit(bit uint32, on bool) {
	switch was := q.gate.Load()&bit != 0; {
	case on && !was:
		q.gate.Or(bit)
	case !on && was:
		q.gate.And(^bit)
	}
}

func (q *Queue) closed() bool { return q.gate.Load()&gateClosed != 0 }

// Close says that the consumer is gone: every Reserve fails from now on, those who wait come back, the overflow is dropped. What is
// reserved may still be committed or aborted. Closing twice is harmless.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() {
		return
	}
	q.gate.Or(gateClosed)
	q.hdr.tail.Or(closedBit)
	q.overflow, q.bytes = newFIFO(), 0
	q.tellRoom()
	for w := q.line.first; w != nil; w = q.line.first {
		q.line.remove(w)
		w.wake <- struct{}{}
	}
	q.alone = nil
}

// Quiet reports, of a closed queue, that every record that was reserved has been committed or aborted: nobody writes to the data
// area any more, and the memory may serve another ring. Only for when no consumer advances any more.
func (q *Queue) Quiet() bool {
	tail := q.hdr.tail.Load()
	if tail&closedBit == 0 {
		return false
	}
	return q.published(q.hdr.head.Load(), tail&^closedBit)
}
