package session

import (
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/congestion"
	"zigh3/engine/datagram"
	"zigh3/engine/sink"
)

// refreshEvery is the least time between two updates of a session's counters.
const refreshEvery = 100 * time.Millisecond

// A refresh brings the counters of a connection's sessions up to date when something has happened in them. All share one timer,
// which an idle connection does not have.
type refresh struct {
	set *Set

	mu      sync.Mutex
	touched []*Session
}

// touch says that something has happened.
func (s *Session) touch() {
	if s.touched.Load() || s.touched.Swap(true) {
		return
	}
	r := &s.set.refresh
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
func (r *refresh) run() {
	r.mu.Lock()
	touched := r.touched
	r.touched = nil
	r.mu.Unlock()
	for _, s := range touched {
		if s != nil {
			s.refreshLater()
		}
	}
	r.set.c.Account() // the sweeper looks only after connections on which requests come and go
}

// forget lets go of a session that has ended: with many short ones, memory would be full of them.
func (r *refresh) forget(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.place < len(r.touched) && r.touched[s.place] == s {
		r.touched[s.place] = nil
	}
}

func (s *Session) refreshLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched.Store(false)
	if !s.open || s.ending {
		return
	}
	s.datagrams.Measure()
	s.refreshNow(len(s.streams))
}

// refreshNow hands the counters to the sink.
func (s *Session) refreshNow(streams int) {
	now := s.stats(streams)
	s.c.Sink.SessionStats(s.handle, &now)
}

// stats are the counters as they are now; streams is how many there are.
func (s *Session) stats(streams int) sink.SessionStats {
	p := s.c.Congestion() // before what was sent is looked at: no more than that is acknowledged
	return s.counters.with(s.c.QUIC.ConnectionStats(), p, s.datagrams.Counters(), streams)
}

func (n *counters) with(q quic.ConnectionStats, p congestion.Report, d datagram.Counters, streams int) sink.SessionStats {
	return sink.SessionStats{
		sink.SessionStatDatagramsIn:         d.Delivered,
		sink.SessionStatDatagramsOut:        d.Sent,
		sink.SessionStatDatagramsDroppedIn:  d.Lost,
		sink.SessionStatDatagramsDroppedOut: d.Expired + d.Unsent,
		sink.SessionStatDatagramsExpiredOut: d.Expired,
		sink.SessionStatStreamsIn:           n.streamsIn.Load(),
		sink.SessionStatStreamsOut:          n.streamsOut.Load(),
		sink.SessionStatStreamsActive:       uint64(streams),
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
		sink.SessionStatCongestionWindow:    q.CongestionWindow,
		sink.SessionStatPacketsSpurious:     p.Spurious,
		sink.SessionStatSendRate:            p.Bandwidth,
		sink.SessionStatAtCapacity:          number(p.AtCapacity),
		sink.SessionStatAlgorithm:           uint64(p.Algorithm),
		sink.SessionStatState:               uint64(p.State),
		sink.SessionStatBytesAcked:          p.Acked,
	}
}

func number(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}
