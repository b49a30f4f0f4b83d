package session

import "time"

// answerWait bounds how long datagrams wait for the answer: the peer may give its stream no credit.
const answerWait = 100 * time.Millisecond

// An answering is the answer that opens a session, as long as it may not have left. QUIC puts datagrams in front of what streams carry, in one
// packet even, and Chromium drops those of a session whose answer it has not read. So the first ones wait for a packet to leave.
type answering struct {
	since   time.Time
	packets uint64 // that had left before
	holding bool   // datagrams wait
}

// answer notes that the answer is about to be written. s.mu is held.
func (s *Session) answer() {
	s.answering = answering{since: time.Now(), packets: s.c.QUIC.ConnectionStats().PacketsSent}
}

// answerMayWait reports whether the answer may still be here. s.mu is held.
func (s *Session) answerMayWait() bool {
	return time.Since(s.answering.since) < answerWait && s.c.QUIC.ConnectionStats().PacketsSent == s.answering.packets
}

// holdDatagrams has datagrams wait for the answer, if it may not have left.
func (s *Session) holdDatagrams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.answering.holding || s.ending:
	case s.answerMayWait():
		s.answering.holding = true
		s.datagrams.Hold()
		s.c.Spawn("answer sent", s.awaitAnswer)
	default:
		s.answered.Store(true)
	}
}

// awaitAnswer lets the datagrams go that wait.
func (s *Session) awaitAnswer() {
	for wait := true; wait; {
		time.Sleep(stopStep)
		s.mu.Lock()
		wait = s.answerMayWait() && !s.ending
		s.mu.Unlock()
	}
	s.answered.Store(true)
	s.datagrams.LetGo()
}
