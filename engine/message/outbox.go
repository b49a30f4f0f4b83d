package message

import (
	"errors"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// InlineWrite is the largest piece that is written without a goroutine: TryWriteAll copies it.
	InlineWrite = 16 << 10
	// InlineTotal is how much goes so before a goroutine waits for QUIC, which is what holds a fast consumer back from a slow peer:
	// TryWriteAll takes as much as the peer's window, whatever the network does.
	InlineTotal = 64 << 10
	// JoinedPiece is the largest that small pieces become which wait for the writer.
	JoinedPiece = 64 << 10
	// WritePiece is how much goes to QUIC between two reports of progress. Where one ends, quic-go sends a packet that is not full and
	// waits for the next.
	WritePiece = 256 << 10
)

// A Line takes parts to a stream.
type Line interface {
	// TryWrite sends a part, all of it or nothing, without waiting. quic.ErrWouldBlock says that it was nothing.
	TryWrite(p *Part) error

	// Write sends a part, waiting as long as the peer's flow control wants, but not longer than stall without a byte taken, if stall is
	// not 0: then it fails with os.ErrDeadlineExceeded. progress is told of bytes of the body that have left.
	Write(p *Part, stall time.Duration, progress func(n int)) error
}

// A Sender is who owns an outbox. All but Left are called with its lock held.
type Sender interface {
	// Lock and Unlock are the lock. Unlock does what is due once nothing runs any more.
	Lock()
	Unlock()

	// Begin has f run on a goroutine; it reports false when there can be none any more. Leave is the end of it.
	Begin(name string, f func()) bool
	Leave()

	// Left is told of n bytes that have left; p says whether the consumer is to know. The lock may be held.
	Left(p *Part, n int)

	// Atomic is told what became of an atomic part of n bytes, in the order in which they were put. err is nil when all of it has left; then
	// Left was told before.
	Atomic(n int, err error)

	// Flushed is told that all of it, its end included, is with QUIC.
	Flushed()

	// Failed is told of an error.
	Failed(err error)

	// Rested is told that the writer has nothing to do any more.
	Rested()

	// Over reports whether nothing is to be sent any more.
	Over() bool
}

// An Outbox sends the parts of one direction of a stream in order. Its owner's lock guards it.
type Outbox struct {
	owner   Sender
	line    Line
	stall   time.Duration
	queue   []Part
	first   int // of queue, that is still there
	beyond  []Part
	writing bool
	vowed   bool // what is being written is reliable
	inline  int  // bytes that went out without waiting since the writer last waited for all
}

// Init sets an outbox up. stall bounds how long a write may wait without progress; 0: for ever.
func (o *Outbox) Init(owner Sender, line Line, stall time.Duration) {
	o.owner, o.line, o.stall = owner, line, stall
}

// Reset makes an outbox as it was, but for the memory of its queue.
func (o *Outbox) Reset() { *o = Outbox{queue: o.queue[:0]} }

// Idle reports whether nothing waits.
func (o *Outbox) Idle() bool { return !o.writing && o.first == len(o.queue) }

// Put sends a part at once, or leaves it to the writer. What p points to is kept only if it has to be.
func (o *Outbox) Put(p *Part) {
	n := len(p.Body.Bytes)
	if !o.writing && o.first == len(o.queue) && (p.Atomic || n <= InlineWrite && o.inline+n <= InlineTotal) {
		err := o.line.TryWrite(p)
		if err == nil {
			o.inline += n
			p.Body.Release()
			o.went(p, n)
			return
		}
		if p.Atomic {
			p.Body.Release()
			o.refused(n, err)
			return
		}
		if !errors.Is(err, quic.ErrWouldBlock) {
			p.Body.Release()
			o.owner.Failed(err)
			return
		}
	}
	o.enqueue(p)
	o.Kick()
}

// Kick starts the writer if there is something for it. Where Begin has refused, it is the owner who knows when to try again.
func (o *Outbox) Kick() {
	if !o.writing && o.first < len(o.queue) {
		o.writing = o.owner.Begin("writer", o.write)
	}
}

// refused tells of an atomic part that was not taken. An error of the stream is one all the same.
func (o *Outbox) refused(n int, err error) {
	o.owner.Atomic(n, err)
	if !errors.Is(err, quic.ErrWouldBlock) {
		o.owner.Failed(err)
	}
}

// went tells of a part that went out in one.
func (o *Outbox) went(p *Part, n int) {
	if n > 0 {
		o.owner.Left(p, n)
	}
	if p.Atomic {
		o.owner.Atomic(n, nil)
	}
	if p.End {
		o.owner.Flushed()
	}
}

// enqueue keeps a part for the writer. Small pieces of a body become one, so that what waits costs no more than its bytes.
func (o *Outbox) enqueue(p *Part) {
	if len(o.queue) > o.first && !p.Head && !p.HasTrailers && !p.Atomic && !p.Reliable && p.Body.Owner == nil {
		last := &o.queue[len(o.queue)-1]
		alike := last.Counted == p.Counted || len(p.Body.Bytes) == 0 || len(last.Body.Bytes) == 0
		if alike && !last.Atomic && !last.Reliable && last.Body.Owner == nil && len(last.Body.Bytes)+len(p.Body.Bytes) <= JoinedPiece {
			if len(p.Body.Bytes) > 0 {
				last.Counted = p.Counted
				last.Body.Bytes = append(last.Body.Bytes, p.Body.Bytes...)
			}
			last.End = p.End
			return
		}
	}
	p.Keep()
	if o.first > 0 && len(o.queue) == cap(o.queue) {
		n := copy(o.queue, o.queue[o.first:])
		clear(o.queue[n:])
		o.queue, o.first = o.queue[:n], 0
	}
	o.queue = append(o.queue, *p)
}

// Vow makes reliable all that was put so far. Where there is nothing, it is the line's affair.
func (o *Outbox) Vow() {
	if len(o.queue) > o.first {
		o.queue[len(o.queue)-1].Reliable = true
		return
	}
	o.Put(&Part{Reliable: true})
}

// Owes reports whether something reliable waits.
func (o *Outbox) Owes() bool { return o.lastVowed() >= o.first || o.writing && o.vowed }

// lastVowed is the place of the last reliable part in the queue, less than first if there is none.
func (o *Outbox) lastVowed() int {
	i := len(o.queue) - 1
	for i >= o.first && !o.queue[i].Reliable {
		i--
	}
	return i
}

// Cut has the writer rest behind the last reliable part that waits, and leaves the end of the stream out. Nothing may be put afterwards.
func (o *Outbox) Cut() {
	keep := o.lastVowed() + 1
	for i := range o.queue[:keep] {
		o.queue[i].End = false
	}
	o.beyond = append(o.beyond, o.queue[keep:]...)
	clear(o.queue[keep:])
	o.queue = o.queue[:keep]
}

// take is the next part, which is not in the queue any more.
func (o *Outbox) take() (p Part, ok bool) {
	if o.first == len(o.queue) {
		o.queue, o.first = o.queue[:0], 0
		return p, false
	}
	p = o.queue[o.first]
	o.queue[o.first] = Part{}
	o.first++
	return p, true
}

// Fresh says that what went out so far counts no more: it is for what sends little and seldom, by nature.
func (o *Outbox) Fresh() { o.inline = 0 }

// Drop gives up what waits, and says how many bytes that was beside those of atomic parts, of which the owner is told.
func (o *Outbox) Drop() (n int) {
	o.queue, o.beyond = append(o.queue, o.beyond...), nil
	for {
		p, ok := o.take()
		if !ok {
			return n
		}
		size := len(p.Body.Bytes)
		p.Body.Release()
		if p.Atomic {
			o.owner.Atomic(size, ErrUnwanted)
		} else {
			n += size
		}
	}
}

// write is the writer: it runs as long as there are parts that have to wait for the peer.
func (o *Outbox) write() {
	owner := o.owner
	var p Part // outside of the loop, with what knows it: they are made once
	left := func(n int) { owner.Left(&p, n) }
	owner.Lock()
	for !owner.Over() {
		var ok bool
		if p, ok = o.take(); !ok {
			break
		}
		n := len(p.Body.Bytes)
		if p.Atomic { // with the lock, so that nobody drops what is behind it before its outcome is told
			err := o.line.TryWrite(&p)
			p.Body.Release()
			if err == nil {
				o.went(&p, n)
			} else {
				o.refused(n, err)
			}
			continue
		}
		o.vowed = p.Reliable
		owner.Unlock()
		err := o.line.Write(&p, o.stall, left)
		p.Body.Release()
		owner.Lock()
		o.vowed = false
		switch {
		case err != nil:
			owner.Failed(err)
		case p.End:
			owner.Flushed()
		}
	}
	o.writing, o.inline = false, 0
	if !owner.Over() {
		owner.Rested()
	}
	owner.Leave()
	owner.Unlock()
}

// Waiting is how many parts wait.
func (o *Outbox) Waiting() int { return len(o.queue) - o.first }
