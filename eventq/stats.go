package eventq

// Stats are figures of a queue.
type Stats struct {
	Depth         int // bytes in use, fillers included
	HighWater     int // the most of them ever; 0 as long as that is less than a sixteenth of the ring
	Overflow      int // records in the FIFO
	OverflowMax   int // the most of them ever
	OverflowBytes int // their payload
	Waiting       int // bulk producers that wait
	Lost          [Types]uint64
}

// Stats gives the figures as they are now.
func (q *Queue) Stats() Stats {
	head := q.hdr.head.Load() // before tail, which it cannot pass
	s := Stats{Depth: int(q.hdr.tail.Load()&^closedBit - head)}
	if mark := q.mark.Load(); mark > q.capacity/16 {
		s.HighWater = int(mark)
	}
	for typ := range q.lost {
		s.Lost[typ] = q.lost[typ].Load()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Overflow, s.OverflowMax, s.OverflowBytes = q.overflow.len(), q.overflowMax, int(q.bytes)
	s.Waiting = q.line.len() + q.out
	return s
}

// TakeLost calls report for every type of which records were lost since the last call, with how many. A loss asks for the doorbell,
// so the time to call it is after Refill: then there is room to tell the consumer. report may use the queue.
func (q *Queue) TakeLost(report func(typ uint16, n uint64)) {
	var news [Types]uint64
	q.mu.Lock()
	for typ := range q.lost {
		now := q.lost[typ].Load()
		news[typ] = now - q.reported[typ]
		q.reported[typ] = now
	}
	q.mu.Unlock()
	for typ, n := range news {
		if n != 0 {
			report(uint16(typ), n)
		}
	}
}
