package engine

import (
	"sync/atomic"
	"time"
)

// refreshEvery is the least time between two updates of a session's counters.
const refreshEvery = 100 * time.Millisecond

// A sessionRefresh brings a session's counters up to date when something has happened; an idle session has no timer.
type sessionRefresh struct {
	armed atomic.Bool
}

// touch says that something has happened.
func (s *Session) touch() {
	if s.refresh.armed.Load() || s.refresh.armed.Swap(true) {
		return
	}
	time.AfterFunc(refreshEvery, func() { Guard("session counters", s.refreshLater) })
}

func (s *Session) refreshLater() {
	s.mu.Lock()
	live := s.open && !s.ended
	s.mu.Unlock()
	if !live {
		return
	}
	s.refresh.armed.Store(false)
	s.datagrams.flow.settle(s.c.stats, false)
	if s.datagrams.flow.waiting() != 0 {
		s.touch() // they count as lost when nothing comes for a while
	}
	s.datagrams.out.measure()
	s.refreshNow()
}

// refreshNow hands the counters to the sink.
func (s *Session) refreshNow() {
	q := s.c.q.ConnectionStats()
	d := s.datagrams
	s.mu.Lock()
	active := len(s.streams)
	s.mu.Unlock()
	n := &s.counters
	s.c.sink.SessionStats(s.handle, &SessionStats{
		SessionStatDatagramsIn:         n.datagramsIn.Load(),
		SessionStatDatagramsOut:        d.out.sent.Load(),
		SessionStatDatagramsDroppedIn:  n.datagramsLost.Load() + uint64(d.flow.lost.Load()),
		SessionStatDatagramsDroppedOut: d.out.expired.Load() + d.out.unsent.Load(),
		SessionStatDatagramsExpiredOut: d.out.expired.Load(),
		SessionStatStreamsIn:           n.streamsIn.Load(),
		SessionStatStreamsOut:          n.streamsOut.Load(),
		SessionStatStreamsActive:       uint64(active),
		SessionStatStreamBytesIn:       n.bytesIn.Load(),
		SessionStatStreamBytesOut:      n.bytesOut.Load(),
		SessionStatBytesIn:             q.BytesReceived,
		SessionStatBytesOut:            q.BytesSent,
		SessionStatBytesLost:           q.BytesLost,
		SessionStatPacketsIn:           q.PacketsReceived,
		SessionStatPacketsOut:          q.PacketsSent,
		SessionStatPacketsLost:         q.PacketsLost,
		SessionStatSmoothedRTT:         uint64(q.SmoothedRTT.Microseconds()),
		SessionStatRTTVariation:        uint64(q.MeanDeviation.Microseconds()),
		SessionStatMinRTT:              uint64(q.MinRTT.Microseconds()),
	})
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
