package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/webtransport-go"
)

// A datagram that is not back after so long is lost. More than one in a thousand make the measurement an error.
const (
	lostAfter = time.Second
	lostShare = 1000
)

// pinging sends datagrams of a size and waits for them to come back, -streams in flight in one session of each connection.
func pinging(ctx context.Context, size int) job {
	return job{size: int64(size), run: inSession(ctx, func(session *webtransport.Session, more func() bool, done func(time.Duration)) error {
		p := &pings{session: session, size: max(size, 8), sent: map[uint64]time.Time{}, free: make(chan struct{}, *streams)}
		for range *streams {
			p.free <- struct{}{}
		}
		receiving, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- p.receive(receiving, done) }()
		err := p.send(ctx, more)
		stop()
		if received := <-ended; err == nil {
			err = received
		}
		if err == nil && p.lost*lostShare > p.next {
			err = fmt.Errorf("%d of %d datagrams did not come back", p.lost, p.next)
		}
		return err
	})}
}

type pings struct {
	session *webtransport.Session
	size    int
	free    chan struct{} // one for each that may go out

	mu   sync.Mutex
	sent map[uint64]time.Time
	next uint64
	lost uint64
}

// send sends until it is enough, and then waits for what is still in flight.
func (p *pings) send(ctx context.Context, more func() bool) error {
	datagram := make([]byte, p.size)
	timer := time.NewTimer(lostAfter)
	defer timer.Stop()
	for more() {
		if err := p.turn(ctx, timer); err != nil {
			return err
		}
		p.mu.Lock()
		binary.BigEndian.PutUint64(datagram, p.next)
		p.sent[p.next] = time.Now()
		p.next++
		p.mu.Unlock()
		if err := p.session.SendDatagram(datagram); err != nil {
			return err
		}
	}
	for range cap(p.free) {
		if err := p.turn(ctx, timer); err != nil {
			return err
		}
	}
	return nil
}

// turn waits until one of those in flight is back, or lost.
func (p *pings) turn(ctx context.Context, timer *time.Timer) error {
	timer.Reset(lostAfter)
	select {
	case <-p.free:
		return nil
	case <-timer.C:
		p.mu.Lock()
		defer p.mu.Unlock()
		for number, at := range p.sent {
			if time.Since(at) >= lostAfter {
				delete(p.sent, number)
				p.lost++
				p.free <- struct{}{}
			}
		}
		<-p.free // the oldest has been out for as long as the timer ran
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pings) receive(ctx context.Context, done func(time.Duration)) error {
	for {
		datagram, err := p.session.ReceiveDatagram(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(datagram) != p.size {
			return fmt.Errorf("a datagram of %d bytes came back as one of %d", p.size, len(datagram))
		}
		number := binary.BigEndian.Uint64(datagram)
		p.mu.Lock()
		at, expected := p.sent[number]
		delete(p.sent, number)
		p.mu.Unlock()
		if expected {
			done(time.Since(at))
			p.free <- struct{}{}
		}
	}
}
