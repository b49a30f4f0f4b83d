package eventq

import "sync/atomic"

// A Ring is a view of a ring in memory, and its consumer.
type Ring struct {
	memory
	_    [128]byte
	read uint64 // the next record
	free uint64 // what head in memory says: everything before it belongs to the producers
	rung uint64 // where read stood at the last doorbell
	_    [128]byte
}

// look finds the next published record, past fillers. It reports false if there is none.
func (r *Ring) look() (h *Head, size uint64, ok bool) {
	for {
		h = r.at(r.read)
		size = uint64(atomic.LoadUint32(&h.size))
		if size == 0 {
			return nil, 0, false
		}
		if size < headSize || size > r.capacity-r.read&r.mask {
			return nil, 0, false // overwritten by the host: staying put is the one thing that harms nothing
		}
		if h.Type != 0 {
			return h, size, true
		}
		r.read += roundBlock(size)
		r.release()
	}
}

// release gives everything before read back to the producers.
func (r *Ring) release() {
	if r.free != r.read {
		r.clear(r.free, r.read)
		r.free = r.read
		r.hdr.head.Store(r.read)
	}
}

// Peek gives the next record without taking it: its payload (meta, filler, data), which stays valid until Advance, and its head.
// It reports false if nothing is published.
func (r *Ring) Peek() (payload []byte, h Head, ok bool) {
	p, size, ok := r.look()
	if !ok {
		return nil, Head{}, false
	}
	return r.payload(r.read, size-headSize), *p, true
}

// Advance takes the record that Peek gave. Without one it does nothing.
func (r *Ring) Advance() {
	if _, size, ok := r.look(); ok {
		r.read += roundBlock(size)
		r.release()
	}
}

// Drain hands up to max records (all that there are, if max is 0) to fn and returns how many. Head and payload are valid during the
// call only. Room is given back every eighth of the ring, and at the end.
func (r *Ring) Drain(max int, fn func(h *Head, payload []byte)) int {
	n := 0
	for max <= 0 || n < max {
		h, size, ok := r.look()
		if !ok {
			break
		}
		fn(h, r.payload(r.read, size-headSize))
		n++
		if r.read += roundBlock(size); r.read-r.free >= r.capacity/8 {
			r.release()
		}
	}
	r.release()
	return n
}

// Arm asks for one write to the wake descriptor at the next record. True: there is none now, the consumer may sleep. False: there
// is one already, and nothing is armed.
func (r *Ring) Arm() (empty bool) {
	if _, _, ok := r.look(); ok {
		return false
	}
	r.pause()
	r.hdr.armed.Store(1)
	if _, _, ok := r.look(); ok {
		r.hdr.armed.Store(0)
		return false
	}
	return true
}

// Disarm takes an Arm back. A write to the wake descriptor may have happened already.
func (r *Ring) Disarm() { r.hdr.armed.Store(0) }

// Doorbell reports whether the producers are to be told of the room that was freed: they asked for it, and a quarter of the ring is
// free since the last time or nothing more is published. The consumer asks after it drained and once more after Arm.
func (r *Ring) Doorbell() bool {
	if r.hdr.hungry.Load() != 1 {
		return false
	}
	if r.read-r.rung < r.capacity/4 {
		if _, _, ok := r.look(); ok {
			return false
		}
	}
	r.rung = r.read
	return r.hdr.hungry.CompareAndSwap(1, 0)
}
