package datagram

import "zigh3/engine/sink"

// Reasons for which a datagram that was taken for sending is not sent.
const (
	tooWide = iota // the path has become too narrow for it
	tooOld
	notOpen // the connection has ended
	reasons
)

// dropCodes are what the consumer gets for them.
var dropCodes = [reasons]sink.Code{tooWide: sink.ErrDatagramTooLarge, tooOld: sink.ErrTimeout, notOpen: sink.ErrClosed}

// drops are those of a flow that the consumer was not told of.
type drops struct {
	counts [reasons]uint64
	listed bool // in the teller's list
}

// A teller tells the consumer what was not sent, which may take as long as the consumer does: on a goroutine of its own, since what other
// flows have queued does not wait for that. What is dropped meanwhile is told together.
type teller struct {
	flows   ring[*Flow] // with something to tell, each once
	running bool
}

// expired counts a datagram that was too old. s.mu is held.
func (s *sender) expired(f *Flow) {
	s.fs.c.Stats.Add(sink.StatDatagramsExpired, 1)
	f.expired.Add(1)
	s.drop(f, tooOld)
}

// drop has the consumer told. s.mu is held.
func (s *sender) drop(f *Flow, why int) {
	if s.lost || f.ended {
		return
	}
	f.drops.counts[why]++
	if !f.drops.listed {
		f.drops.listed = true
		s.teller.flows.push(f)
	}
	if !s.teller.running {
		s.teller.running = true
		s.fs.c.Spawn("datagrams dropped", s.tell)
	}
}

// tell tells what there is to be told.
func (s *sender) tell() {
	for {
		s.mu.Lock()
		if s.teller.flows.len() == 0 {
			s.teller.running = false
			s.mu.Unlock()
			return
		}
		f := s.teller.flows.pop()
		counts, handle := f.drops.counts, f.handle
		f.drops = drops{}
		s.mu.Unlock()
		f.changed()
		for why, n := range counts {
			if n > 0 {
				f.tell(handle, dropCodes[why], n)
			}
		}
	}
}

// tell emits DATAGRAMS_DROPPED.
func (f *Flow) tell(handle sink.Handle, code sink.Code, n uint64) {
	c := f.fs.c
	rec, ok := c.Sink.Reserve(sink.Bulk, 0, c.Done)
	if !ok {
		return
	}
	ev := sink.Event{Type: sink.EventDatagramsDropped, Object: handle, Parent: c.Parent, Conn: c.Handle, Code: code, Aux: n}
	if !f.commit(rec, &ev) {
		c.Sink.Abort(rec)
	}
}
