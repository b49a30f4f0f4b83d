package congestion

// A packet is what is known of one that is under way (4.1.2.1.2, Per-packet state). It fills a cache line.
type packet struct {
	number        int64   // P.packet_id; -1: no packet
	sendTime      instant // P.send_time
	firstSendTime instant // P.first_send_time
	deliveredTime instant // P.delivered_time
	delivered     int64   // P.delivered
	lost          int64   // P.lost
	txInFlight    int64   // P.tx_in_flight
	appLimited    bool    // P.is_app_limited
}

const (
	fewestPackets = 16       // a connection that asks for little never has more
	mostPackets   = 32 * kib // more than QUIC implementations track
)

// packets are those under way, by number, in a table that grows with their count. A packet can leave without a word (keys that were
// dropped, a probe that took its frames along): it is overwritten when its place is wanted and what is near it is long gone.
type packets struct {
	slots []packet
	live  int
}

func newPackets() packets {
	var p packets
	p.allocate(fewestPackets)
	return p
}

func (p *packets) allocate(n int) {
	p.slots = make([]packet, n)
	for i := range p.slots {
		p.slots[i].number = -1
	}
}

// add makes room for a packet; the numbers of those added only grow.
func (p *packets) add(number int64) *packet {
	s := &p.slots[int(number)&(len(p.slots)-1)]
	for s.number >= 0 && len(p.slots) < mostPackets && number-s.number <= 4*int64(p.live) {
		p.grow()
		s = &p.slots[int(number)&(len(p.slots)-1)]
	}
	if s.number < 0 {
		p.live++
	}
	s.number = number
	return s
}

func (p *packets) grow() {
	old := p.slots
	p.allocate(2 * len(old))
	for i := range old {
		if n := old[i].number; n >= 0 {
			p.slots[int(n)&(len(p.slots)-1)] = old[i]
		}
	}
}

// find gives what is known of a packet, nil: nothing. It is good until the next add.
func (p *packets) find(number int64) *packet {
	s := &p.slots[int(number)&(len(p.slots)-1)]
	if number < 0 || s.number != number {
		return nil
	}
	return s
}

// take is find of a packet that is under way no more.
func (p *packets) take(number int64) *packet {
	s := p.find(number)
	if s != nil {
		s.number = -1
		p.live--
	}
	return s
}
