package eventq

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Class says what becomes of a record that the ring has no room for.
type Class uint8

const (
	// Lossless records are never dropped and never wait: they go to the overflow FIFO.
	Lossless Class = iota
	// Bulk records are never dropped; their producer waits until the FIFO is empty and the ring has room.
	Bulk
	// Lossy records may fill half of the ring; beyond that they are dropped and counted.
	Lossy
	// Patient records may fill half of the ring, too; beyond that their producer keeps them, until [Queue.Room] says that it is worth
	// another try, or says [Queue.Lose]. One of more than a quarter of the ring may never find room: also the filler before the end of
	// the data area has to fit.
	Patient

	lossyOf Class = 0x80
)

// Types is the number of event types that losses are counted by.
const Types = 128

// LossyOf is the class Lossy for records of one type below [Types], so that a loss is counted under it; those of plain Lossy are
// counted under type 0.
func LossyOf(typ uint16) Class { return lossyOf | Class(typ%Types) }

func (c Class) typ() uint16 {
	if c&lossyOf == 0 {
		return 0
	}
	return uint16(c &^ lossyOf)
}

// Bits of Queue.gate: why the ring is not open to everyone, and who else wants to know of room.
const (
	gateSpilling = 1 << iota // the FIFO holds records: everyone goes through it, or waits
	gateWaiting              // bulk producers wait: others of their kind stand behind them
	gateClosed
	gateRoom // somebody waits to be told of room, which keeps nobody out
)

// Tokens: a position in the ring with tokenRing, or tokenSpilled alone. 0 is a record that Commit ignores.
const (
	tokenRing    = 1
	tokenSpilled = 2
)

// A Record is room for one payload. Fill Payload, then Commit or Abort, soon: what was reserved later waits behind it.
type Record struct {
	Payload []byte // as long as asked for; may be cut shorter on its way to Commit, its capacity must stay
	Token   uint64 // the queue's own
}

// A Queue is the producers' side of a ring, with the overflow FIFO and the waiting line behind it.
type Queue struct {
	memory
	maxPayload uint64
	gate       atomic.Uint32 // written rarely, so that it may share a line with what never changes
	_          [128]byte

	seen atomic.Uint64 // head as a producer last saw it: saves reading the consumer's line each time
	mark atomic.Uint64 // depth from which head is read anew: the high-water mark, or a sixteenth of the ring
	_    [112]byte

	mu          sync.Mutex
	overflow    fifo
	overflowMax int
	bytes       uint64 // payload bytes in overflow
	line        line
	arrivals    uint64        // waiters ever
	out         int           // waiters that were let out and have not claimed yet
	promised    uint64        // what they need
	since       time.Time     // something waits for room since then; zero: nothing does
	sinceAt     uint64        // head at that time
	alone       *waiter       // the one of them behind whom the gate stays shut
	room        chan struct{} // closed when the consumer has made room; nil: nobody waits for that
	lost        [Types]atomic.Uint64
	reported    [Types]uint64
}

// New makes the producers' side of r. There must be only one for a ring.
func New(r *Ring) *Queue {
	q := &Queue{memory: r.memory, maxPayload: uint64(r.MaxPayload()), overflow: newFIFO()}
	q.seen.Store(r.hdr.head.Load())
	q.mark.Store(r.capacity / 16)
	return q
}

// Reserve makes room for a record with n bytes of payload. It reports false
//   - for Bulk when done was closed before there was room (nil: it waits for ever),
//   - for Lossy when the record was dropped,
//   - for Patient when there is no room,
//   - for every class when the queue is closed or n is negative or beyond MaxPayload. Of a closed queue, Lossless gets memory to
//     write to all the same, and its Commit does nothing: whoever never expects a failure needs no case for it.
func (q *Queue) Reserve(class Class, n int, done <-chan struct{}) (Record, bool) {
	if uint64(n) > q.maxPayload {
		return Record{}, false
	}
	need := roundBlock(headSize + uint64(n))
	limit, bar := q.capacity, uint32(gateSpilling|gateClosed)
	if class == Bulk {
		bar |= gateWaiting
	} else if class != Lossless {
		limit /= 2
	}
	if pos, ok := q.claim(need, limit, bar); ok {
		return q.record(pos, need, n), true
	}
	switch class {
	case Lossless:
		if q.gate.Load()&gateClosed != 0 {
			return Record{Payload: make([]byte, n)}, false
		}
		return Record{Payload: make([]byte, n), Token: tokenSpilled}, true
	case Bulk:
		return q.wait(need, n, done)
	}
	// The doorbell is what makes a loss known, and that there is room: see TakeLost and Room.
	q.askForBell()
	if pos, ok := q.claim(need, limit, bar); ok {
		return q.record(pos, need, n), true
	}
	if class != Patient {
		q.lost[class.typ()].Add(1)
	}
	return Record{}, false
}

// Lose counts n records of a type that were never reserved, as if each had been dropped as one of [LossyOf] that type.
func (q *Queue) Lose(typ uint16, n uint64) {
	q.lost[typ%Types].Add(n)
	q.askForBell()
}

// Room gives a channel that is closed once the consumer has made room. Get it first, then look once more whether there is some: what
// was made in between, it does not tell. Of a closed queue it is nil.
func (q *Queue) Room() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() {
		return nil
	}
	if q.room == nil {
		q.room = make(chan struct{})
		q.gateBit(gateRoom, true)
	}
	q.askForBell()
	return q.room
}

// askForBell has the consumer ring once it has made room. What it made before it could see this, whoever needs room finds by looking again.
func (q *Queue) askForBell() {
	q.pause()
	q.hdr.hungry.Store(1)
}

// claim takes need bytes of the ring, unless the gate has one of the bits in bar or more than limit bytes would be in use.
func (q *Queue) claim(need, limit uint64, bar uint32) (pos uint64, ok bool) {
	for {
		// The order is what keeps a producer that slept here out of a ring that was closed, and given to somebody else, meanwhile:
		// either it sees the gate closed, or closing it changed the tail, which never comes back to this value.
		tail := q.hdr.tail.Load()
		if q.gate.Load()&bar != 0 || tail&closedBit != 0 {
			return 0, false
		}
		pad := q.capacity - tail&q.mask
		if pad >= need {
			pad = 0
		}
		end := tail + pad + need
		var depth uint64
		if used := end - q.seen.Load(); used > q.mark.Load() || used > limit {
			head := q.hdr.head.Load()
			q.seen.Store(head)
			used = end - head
			if int64(used) <= 0 {
				continue // the tail is older than the head: others were faster
			}
			if used > limit {
				return 0, false
			}
			depth = used
		}
		if !q.hdr.tail.CompareAndSwap(tail, end) {
			continue
		}
		if depth != 0 {
			q.raise(depth)
		}
		if pad != 0 {
			q.fill(tail, pad)
		}
		return tail + pad, true
	}
}

// raise lifts the high-water mark.
func (q *Queue) raise(used uint64) {
	for {
		mark := q.mark.Load()
		if used <= mark || q.mark.CompareAndSwap(mark, used) {
			return
		}
	}
}

// record makes the Record for a claim. The payload's capacity remembers how much was claimed.
func (q *Queue) record(pos, need uint64, n int) Record {
	return Record{Payload: q.payload(pos, need-headSize)[:n], Token: pos | tokenRing}
}

// Commit publishes a reserved record with its head. MetaLen and DataLen may describe less than was reserved, with the data at
// [DataOffset] of MetaLen; more is a fault of the caller: the record is given up, and Commit panics. woke says that the consumer slept
// and was woken for this record.
func (q *Queue) Commit(r Record, h *Head) (woke bool) {
	size := h.recordSize()
	if r.Token != 0 && size > headSize+uint64(cap(r.Payload)) {
		q.Abort(r)
		panic("eventq: a record was committed with more than it was reserved for")
	}
	switch r.Token & (blockSize - 1) {
	case tokenRing:
		pos := r.Token - tokenRing
		if used, room := roundBlock(size), headSize+uint64(cap(r.Payload)); used < room {
			q.shrink(pos, used, room)
		}
		woke = q.publish(pos, size, h)
	case tokenSpilled:
		q.spill(h, r.Payload[:size-headSize])
	}
	return woke
}

// Abort gives a reserved record back unpublished.
func (q *Queue) Abort(r Record) {
	if r.Token&(blockSize-1) != tokenRing {
		return
	}
	pos, room := r.Token-tokenRing, headSize+uint64(cap(r.Payload))
	if !q.retreat(pos, pos+room) {
		q.fill(pos, room)
		q.wakeConsumer()
		return
	}
	// Nothing was published, so the consumer will not come by for those who found no room while this record had it.
	if q.gate.Load()&(gateSpilling|gateWaiting|gateRoom) != 0 {
		q.Refill()
	}
}

// publish writes a head and then its size, which makes the record visible, and wakes a consumer that sleeps.
func (q *Queue) publish(pos, size uint64, h *Head) (woke bool) {
	type rest [(headSize - 8) / 8]uint64
	p := q.at(pos)
	p.Type, p.Flags = h.Type, h.Flags
	*(*rest)(unsafe.Pointer(&p.Object)) = *(*rest)(unsafe.Pointer(&h.Object))
	atomic.StoreUint32(&p.size, uint32(size))
	return q.wakeConsumer()
}

// fill publishes a filler.
func (q *Queue) fill(pos, size uint64) {
	p := q.at(pos)
	p.Type, p.Flags = 0, 0
	atomic.StoreUint32(&p.size, uint32(size))
}

// shrink gives back what a claim of room bytes has beyond used. The consumer never sees a gap: the rest is either nobody's or a
// filler before the record itself is published.
func (q *Queue) shrink(pos, used, room uint64) {
	if !q.retreat(pos+used, pos+room) {
		q.fill(pos+used, room-used)
	}
}

// retreat moves the tail back from to to from, if nobody claimed anything since. That keeps a ring dense whose producers reserve for
// the largest read and get a small one. Whatever was written there must not look like a size to who comes next.
func (q *Queue) retreat(from, to uint64) bool {
	if q.hdr.tail.Load() != to {
		return false
	}
	for pos := from; pos != to; pos += blockSize {
		if p := q.at(pos); p.size != 0 {
			p.size = 0
		}
	}
	return q.hdr.tail.CompareAndSwap(to, from)
}

// wakeConsumer writes the wake descriptor if the consumer sleeps, and reports whether it did. Of several producers one does.
func (q *Queue) wakeConsumer() bool {
	if q.hdr.armed.Load() != 1 || !q.hdr.armed.CompareAndSwap(1, 0) {
		return false
	}
	writeWake(q.wakeFD)
	return true
}
