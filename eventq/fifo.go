package eventq

import "github.com/eapache/queue"

// A spilled record waits on the heap for room in the ring.
type spilled struct {
	head    Head
	payload []byte
}

func (s *spilled) need() uint64 { return roundBlock(headSize + uint64(len(s.payload))) }

// A fifo holds spilled records in the order they were committed. It keeps eapache/queue's interface values in this file.
type fifo struct{ q *queue.Queue }

func newFIFO() fifo { return fifo{queue.New()} }

func (f fifo) len() int { return f.q.Length() }

func (f fifo) add(s *spilled) { f.q.Add(s) }

// first is the oldest record; there must be one.
func (f fifo) first() *spilled { return f.q.Peek().(*spilled) }

// remove takes the oldest record; there must be one.
func (f fifo) remove() { f.q.Remove() }
