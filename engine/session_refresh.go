package engine

import (
	"sync"
	"time"

	"zigh3/engine/sink"
)

// refreshEvery is the least time between two updates of a session's counters.
const refreshEvery = 100 * time.Millisecond

// A sessionRefresh brings the counters of a connection's sessions up to date when something has happened in them. All share one timer,
// which an idle connection does not have.
type sessionRefresh struct {
	mu      sync.Mutex
	touched []*Session
}

// touch says that something has happened.
func (s *Session) touch() {
	if s.touched.Load() || s.touched.Swap(true) {
		return
	}
	r := &s.c.refresh
	r.mu.Lock()
	s.place = len(r.touched)
	r.touched = append(r.touched, s)
	first := s.place == 0
	r.mu.Unlock()
	if first {
		time.AfterFunc(refreshEvery, func() { sink.Guard("session counters", r.run) })
	}
}

// run deals with the sessions that something has happened in.
func (r *sessionRefresh) run() {
	r.mu.Lock()
	touched := r.touched
	r.touched = nil
	r.mu.Unlock()
	for _, s := range touched {
		if s != nil {
			s.refreshLater()
		}
	}
}

// forget lets go of a session that has ended: with many short ones, memory would be full of them.
func (r *sessionRefresh) forget(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.place < len(r.touched) && r.touched[s.place] == s {
		r.touched[s.place] = nil
	}
}

func (s *Session) refreshLater() {
	s.mu.Lock()
	live := s.open && !s.ended
	s.mu.Unlock()
	if !live {
		return
	}
	s.touched.Store(false)
	s.datagrams.flow.settle(s.c.stats, false)
	if s.datagrams.flow.waiting() != 0 {
		s.touch() // they count as lost when nothing comes for a while
	}
	s.datagrams.out.measure()
	s.refreshNow()
}

// refreshNow hands the counters to the sink.
func (s *Session) refreshNow() {
	now := s.stats()
	s.c.sink.SessionStats(s.handle, &now)
}

// stats are the counters as they are now.
func (s *Session) stats() sink.SessionStats {
	q := s.c.q.ConnectionStats()
	d := s.datagrams
	s.mu.Lock()
	active := len(s.streams)
	s.mu.Unlock()
	n := &s.counters
	return sink.SessionStats{
		sink.SessionStatDatagramsIn:         n.datagramsIn.Load(),
		sink.SessionStatDatagramsOut:        d.out.sent.Load(),
		sink.SessionStatDatagramsDroppedIn:  n.datagramsLost.Load() + uint64(d.flow.lost.Load()),
		sink.SessionStatDatagramsDroppedOut: d.out.expired.Load() + d.out.unsent.Load(),
		sink.SessionStatDatagramsExpiredOut: d.out.expired.Load(),
		sink.SessionStatStreamsIn:           n.streamsIn.Load(),
		sink.SessionStatStreamsOut:          n.streamsOut.Load(),
		sink.SessionStatStreamsActive:       uint64(active),
		sink.SessionStatStreamBytesIn:       n.bytesIn.Load(),
		sink.SessionStatStreamBytesOut:      n.bytesOut.Load(),
		sink.SessionStatBytesIn:             q.BytesReceived,
		sink.SessionStatBytesOut:            q.BytesSent,
		sink.SessionStatBytesLost:           q.BytesLost,
		sink.SessionStatPacketsIn:           q.PacketsReceived,
		sink.SessionStatPacketsOut:          q.PacketsSent,
		sink.SessionStatPacketsLost:         q.PacketsLost,
		sink.SessionStatSmoothedRTT:         uint64(q.SmoothedRTT.Microseconds()),
		sink.SessionStatRTTVariation:        uint64(q.MeanDeviation.Microseconds()),
		sink.SessionStatMinRTT:              uint64(q.MinRTT.Microseconds()),
	}
}

// datagramDelivered counts a datagram that came, ok: and was given to the consumer.
func (s *Session) datagramDelivered(ok bool) {
	if ok {
		s.counters.datagramsIn.Add(1)
	} else {
		s.counters.datagramsLost.Add(1)
	}
	s.touch()
}
