package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A datagram that is not back after so long is lost. More than one in a thousand make the measurement an error.
const (
	lostAfter = time.Second
	lostShare = 1000
)

// pings are the datagrams of one session.
type pings struct {
	handle sink.Handle
	sent   map[uint64]time.Time
	next   uint64
	lost   uint64
}

// ping sends one.
func (l *loop) ping(p *pings, now time.Time) {
	l.flight++
	binary.BigEndian.PutUint64(l.payload, p.next)
	p.sent[p.next] = now
	p.next++
	objectOf[*session.Session](l, p.handle).SendDatagram(l.payload, 0)
}

// pong takes one that has come.
func (l *loop) pong(p *pings, data []byte) {
	if len(data) != *size {
		fail(fmt.Errorf("a datagram of %d bytes came back as one of %d", *size, len(data)))
	}
	number := binary.BigEndian.Uint64(data)
	at, ok := p.sent[number]
	if !ok {
		return // it was taken for lost
	}
	delete(p.sent, number)
	if now, more := l.ended(at); more {
		l.ping(p, now)
	}
	l.done()
}

// lookForLost gives up those that have not come back.
func (l *loop) lookForLost() {
	now := time.Now()
	for _, p := range l.sessions {
		for number, at := range p.sent {
			if now.Sub(at) < lostAfter {
				continue
			}
			delete(p.sent, number)
			if p.lost++; p.lost*lostShare > p.next {
				fail(fmt.Errorf("%d of %d datagrams did not come back", p.lost, p.next))
			}
			if now.Before(l.end) {
				l.ping(p, now)
			}
			l.done()
		}
	}
}
