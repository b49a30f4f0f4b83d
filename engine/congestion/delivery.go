package congestion

import "time"

// A connection is what the algorithms share of its state (2.2, 4.1.2.1.1), and the delivery-rate estimator that keeps it.
type connection struct {
	smss          int64 // C.SMSS
	initialWindow int64 // C.InitialCwnd, bytes

	delivered     int64   // C.delivered
	deliveredTime instant // C.delivered_time
	firstSendTime instant // C.first_send_time
	lost          int64   // C.lost
	inflight      int64   // C.inflight
	appLimited    int64   // C.app_limited: what will be delivered when the bubble has passed, 0: not limited

	srtt, rttvar time.Duration // C.srtt, 0 before the first sample
	minRTT       time.Duration // C.min_rtt, over the connection's life
	maxAckDelay  time.Duration

	limitedNow, limitedBefore bool // by the window, in this round trip and in the one before it

	packets packets
}

func newConnection(smss, initialWindow int64) connection {
	return connection{smss: smss, initialWindow: initialWindow, packets: newPackets()}
}

// cwndLimited is C.is_cwnd_limited.
func (c *connection) cwndLimited() bool { return c.limitedNow || c.limitedBefore }

// A rateSample is what one ACK tells (2.3, 4.1.2.1.3). Its packet is the newest of those acknowledged.
type rateSample struct {
	now            instant
	hasData        bool          // RS.has_data: something of which more is known was acknowledged
	deliveryRate   float64       // RS.delivery_rate, bytes a second; 0: no reliable sample
	interval       time.Duration // RS.interval
	delivered      int64         // RS.delivered
	priorDelivered int64         // RS.prior_delivered
	sendElapsed    time.Duration // RS.send_elapsed
	ackElapsed     time.Duration // RS.ack_elapsed
	rtt            time.Duration // RS.rtt; negative: none
	newlyAcked     int64         // RS.newly_acked
	txInFlight     int64         // RS.tx_in_flight
	priorInFlight  int64         // C.inflight before the ACK
	lost           int64         // RS.lost
	appLimited     bool          // RS.is_app_limited
	number         int64         // RS.last_acked_packet_id
	sendTime       instant       // of that packet
	priorLost      int64         // its P.lost
}

// sent is OnPacketSent (4.1.2.2). inflight counts the packet.
func (c *connection) sent(now instant, inflight, number, size int64) {
	if inflight == size { // nothing else is under way
		c.firstSendTime, c.deliveredTime = now, now
	}
	c.inflight = inflight
	p := c.packets.add(number)
	p.sendTime = now
	p.firstSendTime = c.firstSendTime
	p.deliveredTime = c.deliveredTime
	p.delivered = c.delivered
	p.lost = c.lost
	p.txInFlight = inflight
	p.appLimited = c.appLimited != 0
}

// begin is InitRateSample (4.1.2.3).
func (c *connection) begin(rs *rateSample, now instant) {
	*rs = rateSample{now: now, rtt: -1}
}

// acked is UpdateRateSample (4.1.2.3), for each packet that an ACK acknowledges.
func (c *connection) acked(rs *rateSample, now instant, number, size int64) {
	c.delivered += size
	c.deliveredTime = max(now, c.deliveredTime)
	rs.newlyAcked += size
	c.inflight = max(c.inflight-size, 0)
	p := c.packets.take(number)
	if p == nil {
		return
	}
	// IsNewestPacket: against what was acknowledged by this ACK and by all before it
	if rs.hasData && (p.sendTime < c.firstSendTime || p.sendTime == c.firstSendTime && number <= rs.number) {
		return
	}
	rs.hasData = true
	rs.priorDelivered = p.delivered
	rs.appLimited = p.appLimited
	rs.sendElapsed = p.sendTime - p.firstSendTime
	rs.ackElapsed = max(now-p.deliveredTime, 0)
	rs.number = number
	rs.sendTime = p.sendTime
	rs.txInFlight = p.txInFlight
	rs.priorLost = p.lost
	rs.rtt = max(now-p.sendTime, 0)
	c.firstSendTime = p.sendTime
}

// generate is GenerateRateSample (4.1.2.3), when all packets of an ACK were told.
func (c *connection) generate(rs *rateSample) {
	if c.appLimited != 0 && c.delivered > c.appLimited {
		c.appLimited = 0 // the bubble is acknowledged and gone
	}
	if !rs.hasData {
		return
	}
	rs.lost = c.lost - rs.priorLost
	rs.delivered = c.delivered - rs.priorDelivered
	// The longer of both: neither can what was sent in a burst have come faster than it went, nor what was acknowledged in one (4.1.1.2).
	rs.interval = max(rs.sendElapsed, rs.ackElapsed)
	if rs.interval <= 0 || rs.interval < c.minRTT || c.minRTT == 0 {
		return
	}
	rs.deliveryRate = float64(rs.delivered) / seconds(rs.interval)
}

// markAppLimited is MarkConnectionAppLimited (4.1.2.4).
func (c *connection) markAppLimited() { c.appLimited = max(c.delivered+c.inflight, 1) }
