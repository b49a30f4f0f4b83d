//go:build ignore

// In place of quic-go's internal/congestion/cubic_sender.go: see README.md beside this file.

package congestion

import (
	"math/rand/v2"
	"time"

	"github.com/quic-go/quic-go/internal/monotime"
	"github.com/quic-go/quic-go/internal/protocol"
	"github.com/quic-go/quic-go/internal/utils"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	control "zigh3/engine/congestion"
)

func init() { control.Install() }

// A cubicSender, as quic-go calls what controls a path, hands everything to a Sender of engine/congestion.
type cubicSender struct {
	sender *control.Sender

	rttStats  *utils.RTTStats
	connStats *utils.ConnectionStats
	window    int64 // as connStats has it

	lastState qlog.CongestionState
	qlogger   qlogwriter.Recorder
}

var _ SendAlgorithmWithDebugInfos = &cubicSender{}

// NewCubicSender begins with a path.
func NewCubicSender(
	clock Clock,
	rttStats *utils.RTTStats,
	connStats *utils.ConnectionStats,
	initialMaxDatagramSize protocol.ByteCount,
	_ bool,
	qlogger qlogwriter.Recorder,
) *cubicSender {
	c := &cubicSender{
		sender:    control.NewSender(&connStats.Control, time.Duration(clock.Now()), int64(initialMaxDatagramSize), rand.Uint64()),
		rttStats:  rttStats,
		connStats: connStats,
		qlogger:   qlogger,
	}
	c.publish()
	return c
}

// publish keeps what others see of the window and the state up to date.
func (c *cubicSender) publish() {
	if w := c.sender.Window(); w != c.window {
		c.window = w
		c.connStats.CongestionWindow.Store(uint64(w))
	}
	if c.qlogger == nil {
		return
	}
	state := qlog.CongestionStateCongestionAvoidance
	switch {
	case c.sender.Recovering():
		state = qlog.CongestionStateRecovery
	case c.sender.SlowStart():
		state = qlog.CongestionStateSlowStart
	}
	if state != c.lastState {
		c.lastState = state
		c.qlogger.RecordEvent(qlog.CongestionStateUpdated{State: state})
	}
}

func (c *cubicSender) CanSend(bytesInFlight protocol.ByteCount) bool {
	can := c.sender.CanSend(int64(bytesInFlight))
	c.publish()
	return can
}

func (c *cubicSender) HasPacingBudget(now monotime.Time) bool {
	return c.sender.HasPacingBudget(time.Duration(now))
}

func (c *cubicSender) TimeUntilSend(protocol.ByteCount) monotime.Time {
	return monotime.Time(c.sender.NextSend())
}

func (c *cubicSender) OnPacketSent(now monotime.Time, bytesInFlight protocol.ByteCount, number protocol.PacketNumber, size protocol.ByteCount, ackEliciting bool) {
	if ackEliciting { // nothing else is acknowledged, counted or paced
		c.sender.OnPacketSent(time.Duration(now), int64(bytesInFlight), int64(number), int64(size))
	}
}

// MaybeExitSlowStart is called when an ACK has brought a round trip, before anything else of it.
func (c *cubicSender) MaybeExitSlowStart() {
	if c.rttStats.HasMeasurement() {
		c.sender.OnRTT(c.rttStats.MinRTT(), c.rttStats.SmoothedRTT(), c.rttStats.MeanDeviation(), c.rttStats.MaxAckDelay())
	}
}

func (c *cubicSender) OnPacketAcked(number protocol.PacketNumber, size, priorInFlight protocol.ByteCount, now monotime.Time) {
	c.sender.OnPacketAcked(time.Duration(now), int64(number), int64(size), int64(priorInFlight))
}

// OnCongestionEvent is called for each packet that is lost, and without a size for an ACK that counts more marks of congestion.
func (c *cubicSender) OnCongestionEvent(number protocol.PacketNumber, size, _ protocol.ByteCount) {
	if size == 0 {
		c.sender.OnCE(int64(number))
		return
	}
	c.connStats.PacketsLost.Add(1)
	c.connStats.BytesLost.Add(uint64(size))
	c.sender.OnPacketLost(int64(number), int64(size))
}

func (c *cubicSender) OnSpuriousLoss(number protocol.PacketNumber) {
	c.sender.OnSpuriousLoss(int64(number))
}

// OnRetransmissionTimeout is called by nothing; persistent congestion the Sender finds by itself.
func (c *cubicSender) OnRetransmissionTimeout(bool) {}

func (c *cubicSender) SetMaxDatagramSize(size protocol.ByteCount) {
	c.sender.SetPacketSize(int64(size))
}

func (c *cubicSender) InSlowStart() bool { return c.sender.SlowStart() }

func (c *cubicSender) InRecovery() bool { return c.sender.Recovering() }

func (c *cubicSender) GetCongestionWindow() protocol.ByteCount {
	return protocol.ByteCount(c.sender.Window())
}
