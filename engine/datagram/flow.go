package datagram

import (
	"sync/atomic"

	"zigh3/engine/sink"
)

// A Flow is the datagrams of one request, session or connection, both ways.
type Flow struct {
	fs     *Flows
	stream uint64 // of its request or session
	raw    bool   // the connection's: there is no stream
	commit func(rec sink.Record, ev *sink.Event) bool
	notify atomic.Pointer[func()]

	sent, expired, unsent, delivered, lost atomic.Uint64

	event sink.Event // the next one: belongs to who delivers, which are never two at a time

	// Under Flows.mu.
	waiting    ring[incoming]
	started    bool
	delivering bool          // a goroutine delivers what waits, or is about to end
	gone       chan struct{} // closed by Close; nil: no goroutine ever delivered
	closed     bool

	// Under sender.mu.
	handle   sink.Handle
	queue    ring[outgoing]
	listed   bool // in the sender's list
	held     bool // what is queued waits for LetGo
	ended    bool // the sink is told nothing more
	limit    int  // of a payload
	returned int  // places that the sink was not told of yet
	drops    drops
}

// Counters are a flow's since its begin.
type Counters struct {
	Delivered uint64 // given to the consumer
	Lost      uint64 // came, and were not
	Sent      uint64 // handed to QUIC
	Expired   uint64 // not sent: older than their age
	Unsent    uint64 // not sent for any other reason
}

// Counters are what the flow has counted until now.
func (f *Flow) Counters() Counters {
	return Counters{Delivered: f.delivered.Load(), Lost: f.lost.Load(), Sent: f.sent.Load(), Expired: f.expired.Load(), Unsent: f.unsent.Load()}
}

// Notify has fn called whenever a counter has changed, by any goroutine, also inside of Send and Close. It must not wait, and must not call
// the flow but for Counters.
func (f *Flow) Notify(fn func()) { f.notify.Store(&fn) }

func (f *Flow) changed() {
	if fn := f.notify.Load(); fn != nil {
		(*fn)()
	}
}

// Start lets what comes be delivered, beginning with what has come already.
func (f *Flow) Start() {
	f.fs.mu.Lock()
	f.started = true
	f.startDelivering()
	f.fs.mu.Unlock()
}

// Hold keeps what is queued from now on until LetGo.
func (f *Flow) Hold() {
	s := &f.fs.out
	s.mu.Lock()
	f.held = true
	s.mu.Unlock()
}

// LetGo lets what is queued be sent. The connection's end waits for who calls it.
func (f *Flow) LetGo() {
	s := &f.fs.out
	s.mu.Lock()
	f.held = false
	lost := 0
	switch {
	case !s.lost && f.queue.len() > 0:
		s.list(f)
	case s.lost: // nobody sends any more
		for ; f.queue.len() > 0; lost++ {
			d := f.queue.pop()
			d.release()
		}
	}
	s.mu.Unlock()
	if lost > 0 {
		f.fs.c.Stats.Add(sink.StatDatagramsUnsent, uint64(lost))
		f.unsent.Add(uint64(lost))
		f.changed()
	}
}

// Close ends both directions: what came and waits is given up, what is queued is still sent, and the sink is told nothing more about what
// may be sent. It may be called under the lock that commit takes, and more than once; the owner calls it before it releases the handle.
func (f *Flow) Close() {
	fs := f.fs
	fs.out.mu.Lock()
	f.ended = true
	fs.out.mu.Unlock()
	fs.mu.Lock()
	if f.closed {
		fs.mu.Unlock()
		return
	}
	f.closed = true
	if !f.raw {
		delete(fs.open, f.stream)
	}
	lost, why := uint64(f.waiting.len()), f.dropReason()
	f.waiting = ring[incoming]{}
	if f.gone != nil {
		close(f.gone)
	}
	fs.mu.Unlock()
	f.lose(why, lost)
}
