//go:build ignore

// Beside cubic_sender.go in quic-go's internal/congestion: what quic-go calls comes to the Sender, and what others see of it is so.

package congestion

import (
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go/internal/monotime"
	"github.com/quic-go/quic-go/internal/protocol"
	"github.com/quic-go/quic-go/internal/utils"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	control "zigh3/engine/congestion"
)

const packetSize = 1200

// A stoppedClock is one, and what is recorded are states.
type stoppedClock monotime.Time

func (c stoppedClock) Now() monotime.Time { return monotime.Time(c) }

type states []qlog.CongestionState

func (s *states) RecordEvent(e qlogwriter.Event) {
	*s = append(*s, e.(qlog.CongestionStateUpdated).State)
}

func (*states) Close() error { return nil }

// A path is a cubicSender with NewReno, whose answers are exact, and a round trip of 20 ms that was 40 before.
type path struct {
	*cubicSender
	stats *utils.ConnectionStats
	seen  states
	now   monotime.Time
	sent  protocol.PacketNumber
}

func newPath() *path {
	p := &path{stats: new(utils.ConnectionStats), now: monotime.Time(time.Hour)}
	p.stats.Control.Choose(control.NewReno)
	rtt := utils.NewRTTStats()
	rtt.UpdateRTT(40*time.Millisecond, 0)
	rtt.UpdateRTT(20*time.Millisecond, 0)
	p.cubicSender = NewCubicSender(stoppedClock(p.now), rtt, p.stats, packetSize, true, &p.seen)
	return p
}

// fill sends until the window is full, and lets a round trip pass.
func (p *path) fill() {
	inFlight := protocol.ByteCount(0)
	for p.CanSend(inFlight) {
		inFlight += packetSize
		p.OnPacketSent(p.now, inFlight, p.sent, packetSize, true)
		p.sent++
	}
	p.now = p.now.Add(20 * time.Millisecond)
}

func TestWhatIsAcknowledgedIsTold(t *testing.T) {
	p := newPath()
	first := p.stats.CongestionWindow.Load()
	if first == 0 || first != uint64(p.GetCongestionWindow()) {
		t.Errorf("at the begin a window of %d is published, not %d", first, p.GetCongestionWindow())
	}
	p.fill()
	p.MaybeExitSlowStart()
	p.OnPacketAcked(0, packetSize, protocol.ByteCount(first), p.now)
	p.CanSend(protocol.ByteCount(first) - packetSize)
	if got := p.stats.CongestionWindow.Load(); got != first+packetSize {
		t.Errorf("a window of %d is published, not %d", got, first+packetSize)
	}
	if got := p.stats.Control.Report().MinRTT; got != 20*time.Millisecond {
		t.Errorf("the shortest round trip is %v", got)
	}
}

func TestLossIsTold(t *testing.T) {
	p := newPath()
	p.fill()
	before := p.GetCongestionWindow()
	p.OnCongestionEvent(3, packetSize, before)
	p.CanSend(before - packetSize)
	if got := p.GetCongestionWindow(); !p.InRecovery() || got >= before || p.stats.CongestionWindow.Load() != uint64(got) {
		t.Errorf("a window of %d, published %d, recovery %v", got, p.stats.CongestionWindow.Load(), p.InRecovery())
	}
	if n, bytes := p.stats.PacketsLost.Load(), p.stats.BytesLost.Load(); n != 1 || bytes != packetSize {
		t.Errorf("%d packets and %d bytes lost", n, bytes)
	}
	p.OnSpuriousLoss(3)
	p.CanSend(before - packetSize)
	if got := p.stats.Control.Report().Spurious; p.GetCongestionWindow() != before || got != 1 {
		t.Errorf("%d losses were spurious, a window of %d, not %d", got, p.GetCongestionWindow(), before)
	}
	if want := (states{qlog.CongestionStateSlowStart, qlog.CongestionStateRecovery, qlog.CongestionStateSlowStart}); !slices.Equal(p.seen, want) {
		t.Errorf("states %v are recorded", p.seen)
	}
}

// Marks are what quic-go calls a congestion event without a size. Nothing is lost by them.
func TestMarksAreTold(t *testing.T) {
	p := newPath()
	p.fill()
	before := p.GetCongestionWindow()
	p.OnCongestionEvent(3, 0, before)
	if !p.InRecovery() || p.GetCongestionWindow() >= before {
		t.Errorf("a window of %d, it was %d, recovery %v", p.GetCongestionWindow(), before, p.InRecovery())
	}
	if n := p.stats.PacketsLost.Load(); n != 0 {
		t.Errorf("%d packets lost", n)
	}
}

// What is never acknowledged takes nothing of what may be sent.
func TestAcknowledgementsAreNotPaced(t *testing.T) {
	p := newPath()
	for range 1000 {
		p.OnPacketSent(p.now, 0, p.sent, packetSize, false)
		p.sent++
	}
	if !p.HasPacingBudget(p.now) {
		t.Errorf("nothing may go for %v", p.TimeUntilSend(0).Sub(p.now))
	}
	for range 1000 {
		p.OnPacketSent(p.now, packetSize, p.sent, packetSize, true)
		p.sent++
	}
	if p.HasPacingBudget(p.now) || !p.TimeUntilSend(0).After(p.now) {
		t.Errorf("a thousand packets leave at once, the next %v later", p.TimeUntilSend(0).Sub(p.now))
	}
}
