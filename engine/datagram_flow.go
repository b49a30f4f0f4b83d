package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"zigh3/engine/sink"
)

// A datagramFlow is the account of the datagrams that came for one request or session. http3 queues up to 32 of them for each stream
// and drops the rest without a word: so it is told what http3 has read, counts what comes out of the queue, and the rest is lost.
type datagramFlow struct {
	arrived atomic.Int64
	moved   atomic.Int64
	lost    atomic.Int64
	moving  atomic.Bool // somebody empties the queue
	wake    func()      // sees to it that somebody does, once that is allowed

	mu   sync.Mutex
	seen int64 // arrived at the last settle
}

// waiting are those in http3's queue, and those of which it is not known yet that they are lost.
func (f *datagramFlow) waiting() int64 { return f.arrived.Load() - f.moved.Load() - f.lost.Load() }

// settle counts as lost what has not come out of the queue, if nothing has come since the last call or it must be done.
func (f *datagramFlow) settle(stats *sink.Stats, must bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	arrived := f.arrived.Load()
	if arrived != f.seen && !must {
		f.seen = arrived
		return
	}
	f.seen = arrived
	n := arrived - f.moved.Load() - f.lost.Load()
	f.lost.Add(n)
	stats.Add(sink.StatDatagramsDroppedEarly, uint64(n))
}

// maxEarly bounds the streams of a connection for which datagrams are remembered that came before them.
const maxEarly = 64

// datagramFlows are those of a connection.
type datagramFlows struct {
	mu    sync.Mutex
	open  map[uint64]*datagramFlow // by stream id
	early map[uint64]int64         // datagrams for streams that are not known
	next  uint64                   // the id behind the largest of a request
	came  chan struct{}            // closed when next grows; nil: nobody waits for that
	vain  int                      // waits for a request that did not come
}

// earlyWait is how long a datagram waits for its request, which may come right behind it, or with it. http3 drops those of streams that it
// has not begun to read. Others wait behind it in quic-go's queue, so there are few such waits in vain.
var earlyWait = 20 * time.Millisecond

// maxVain is how many waits in vain a connection has.
const maxVain = 16

// requestCame says that http3 has a request's stream in its table.
func (c *conn) requestCame(id uint64) {
	c.flows.mu.Lock()
	defer c.flows.mu.Unlock()
	c.flows.next = max(c.flows.next, id+4)
	if c.flows.came != nil {
		close(c.flows.came)
		c.flows.came = nil
	}
}

// awaitRequest waits for the request that a datagram belongs to, if that has not come yet. c.flows.mu is held, and given up meanwhile.
func (c *conn) awaitRequest(id uint64) {
	if id < c.flows.next || c.flows.vain == maxVain {
		return
	}
	timer := time.NewTimer(earlyWait)
	defer timer.Stop()
	for id >= c.flows.next {
		came := make(chan struct{})
		c.flows.came = came
		c.flows.mu.Unlock()
		late := false
		select {
		case <-came:
		case <-timer.C:
			late = true
		case <-c.done:
			late = true
		}
		c.flows.mu.Lock()
		if late {
			c.flows.vain++
			c.flows.came = nil
			return
		}
	}
}

// add begins the account of a stream.
func (c *conn) addFlow(id uint64, wake func()) *datagramFlow {
	c.flows.mu.Lock()
	defer c.flows.mu.Unlock()
	if c.flows.open == nil {
		c.flows.open = make(map[uint64]*datagramFlow)
	}
	f := &datagramFlow{wake: wake}
	if n := c.flows.early[id]; n > 0 {
		// They were counted as unknown. Some of them may be in the queue.
		delete(c.flows.early, id)
		f.arrived.Store(n)
		c.stats.Add(sink.StatDatagramsDroppedUnknown, ^uint64(n-1))
	}
	c.flows.open[id] = f
	return f
}

// dropFlow ends it.
func (c *conn) dropFlow(id uint64, f *datagramFlow) {
	c.flows.mu.Lock()
	delete(c.flows.open, id)
	c.flows.mu.Unlock()
	f.settle(c.stats, true)
}

const (
	// fullQueue is how many datagrams may wait in http3's queue of a stream (of 32) before its reader is held up.
	fullQueue = 24
	// longestHold bounds that, in steps of holdStep without any progress: what does not come out then never will.
	longestHold = 20
	holdStep    = 50 * time.Microsecond
)

// datagramArrived is told by http3's only reader of datagrams. It holds that up while the queue of the stream is full: what waits in
// quic-go's own queue is counted when it is dropped.
func (c *conn) datagramArrived(id uint64) {
	c.stats.Add(sink.StatDatagramsIn, 1)
	c.flows.mu.Lock()
	c.awaitRequest(id)
	f := c.flows.open[id]
	if f == nil {
		c.stats.Add(sink.StatDatagramsDroppedUnknown, 1)
		if c.flows.early == nil {
			c.flows.early = make(map[uint64]int64)
		}
		if _, known := c.flows.early[id]; known || len(c.flows.early) < maxEarly {
			c.flows.early[id]++
		}
		c.flows.mu.Unlock()
		return
	}
	f.arrived.Add(1)
	c.flows.mu.Unlock()
	if !f.moving.Load() {
		f.wake()
		return
	}
	for held, moved := 0, f.moved.Load(); f.waiting() > fullQueue; held++ {
		if held > longestHold {
			f.settle(c.stats, true)
			return
		}
		time.Sleep(holdStep)
		if m := f.moved.Load(); m != moved {
			held, moved = 0, m
		}
	}
}
