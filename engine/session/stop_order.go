package session

import (
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

const (
	// stopStep is how often a reset that waits looks whether a packet has left.
	stopStep = time.Millisecond
	// stopWait bounds how long it waits: QUIC drops a STOP_SENDING that waits when the peer's side ends meanwhile.
	stopWait = 100 * time.Millisecond
	// stopPacking is what QUIC may take for a packet that it has begun before the STOP_SENDING was there, on a processor that has others to
	// do: the first packet that is counted may be that one.
	stopPacking = 25 * time.Millisecond
)

// A stopping is a STOP_SENDING that may not have left. Of a stream that is stopped and reset QUIC sends RESET_STREAM first, in one packet
// even, and Chromium then gives the page's writer a NetworkError without the code. So the reset waits for a packet to leave.
type stopping struct {
	since   time.Time // zero: there is none
	packets uint64    // that had left before
	reset   *uint32   // the reset that waits
}

// cancelRead stops the peer's side. st.mu is held.
func (st *Stream) cancelRead(code uint32) {
	if st.readEnd {
		return
	}
	st.stopping = stopping{since: time.Now(), packets: st.s.c.QUIC.ConnectionStats().PacketsSent}
	st.receive.CancelRead(quic.StreamErrorCode(wire.WTCode(code)))
	st.readEnd = true
}

// cancelWrite resets this side, behind a STOP_SENDING of the same stream. st.mu is held.
func (st *Stream) cancelWrite(code uint32) {
	st.closed = true
	if st.stopping.since.IsZero() || !st.stopMayWait() {
		st.send.CancelWrite(quic.StreamErrorCode(wire.WTCode(code)))
		return
	}
	st.stopping.reset = &code
	st.running++
	st.awaitStop()
}

// stopMayWait reports whether the STOP_SENDING may still be here. st.mu is held.
func (st *Stream) stopMayWait() bool {
	waited := time.Since(st.stopping.since)
	if waited < stopStep || waited >= stopWait {
		return waited < stopStep
	}
	left := st.s.c.QUIC.ConnectionStats().PacketsSent - st.stopping.packets
	return left == 0 || left == 1 && waited < stopPacking
}

// awaitStop looks again in a moment.
func (st *Stream) awaitStop() {
	time.AfterFunc(stopStep, func() {
		sink.Guard("stop sent", func() {
			st.mu.Lock()
			if st.stopMayWait() && !st.cutOff {
				st.awaitStop()
			} else {
				st.send.CancelWrite(quic.StreamErrorCode(wire.WTCode(*st.stopping.reset)))
				st.running--
			}
			st.Unlock()
		})
	})
}
