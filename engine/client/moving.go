package client

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/udp"
)

// A client's packets go out from whatever address the system has for their way. Where that changes, or comes back, its connections move: each
// asks its server by a new connection id whether it is heard from there (PATH_CHALLENGE), and goes on from there, with a fresh measure of the path.

const (
	// probeFor is how long a server may take to answer, before it is looked whether it is heard all the same.
	probeFor = time.Second
	// moveFor is how long it is asked.
	moveFor = 20 * time.Second
	// lookAgain is the time between two looks for a way as long as there is none and the system does not tell of its changes.
	lookAgain = 500 * time.Millisecond
)

// A movement is what a connection knows of the address that it goes out from.
type movement struct {
	mu      sync.Mutex
	source  netip.Addr // of its packets
	moving  bool       // a goroutine asks the server
	changed bool       // meanwhile
	over    bool       // the connection has gone
	path    *quic.Path // of the goroutine: the one that it is on; nil: that which it was made on
}

// sourceOf is the address that packets to a server go out from, as the system has it now. No packet is sent.
func sourceOf(server net.Addr) (netip.Addr, error) {
	s, err := net.Dial("udp", server.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer s.Close()
	at, err := netip.ParseAddrPort(s.LocalAddr().String())
	return at.Addr().Unmap(), err
}

// wayChanged has the client look which of its connections are to move. It does not wait.
func (c *Client) wayChanged() {
	select {
	case c.ways <- struct{}{}:
	default:
	}
}

// watchWays moves connections as their ways change, until the client ends.
func (c *Client) watchWays() {
	if a, err := udp.WatchAddresses(); err == nil {
		c.goroutines.Go(func() {
			sink.Guard("addresses", func() {
				for a.Wait() == nil {
					c.wayChanged()
				}
			})
		})
		defer a.Close()
	}
	again := time.NewTimer(lookAgain)
	again.Stop()
	defer again.Stop()
	for {
		select {
		case <-c.ways:
		case <-again.C:
		case <-c.quit:
			return
		}
		if !c.pool.move() {
			again.Reset(lookAgain)
		}
	}
}

// move has all connections move that are to. It reports false when one has no way at all.
func (p *pool) move() (ways bool) {
	p.mu.Lock()
	conns := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	ways = true
	for _, c := range conns {
		if c.Closing() || c.Gone() || c.early.Load() {
			continue
		}
		ways = c.lookForWay() && ways
	}
	return ways
}

// settleDown notes where the connection's packets go out from.
func (c *conn) settleDown() {
	source, err := sourceOf(c.QUIC.RemoteAddr())
	if err == nil {
		c.movement.mu.Lock()
		c.movement.source = source
		c.movement.mu.Unlock()
	}
}

// lookForWay begins to move the connection if its packets go out from another address now. It reports false when they have no way.
func (c *conn) lookForWay() bool {
	m := &c.movement
	source, err := sourceOf(c.QUIC.RemoteAddr())
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.over:
	case err != nil:
		return false
	case source == m.source:
	case m.moving:
		m.changed = true
	default:
		m.moving = true
		c.Spawn("move", c.move)
	}
	return true
}

// move moves the connection to the address that its packets go out from now.
func (c *conn) move() {
	m := &c.movement
	for {
		source, err := sourceOf(c.QUIC.RemoteAddr())
		if err == nil {
			err = c.moveTo(source)
		}
		if err != nil && c.QUIC.Context().Err() == nil {
			c.Log(sink.LogDebug, "the connection has not moved: "+err.Error())
		}
		m.mu.Lock()
		if err == nil {
			m.source = source
		}
		again := m.changed && c.QUIC.Context().Err() == nil
		m.moving, m.changed = again, false
		m.mu.Unlock()
		if !again {
			return
		}
	}
}

// moveTo asks the server whether it hears the connection from where its packets go out now, and goes on from there. A server that has seen packets
// from there before it was asked may take that for its way already, and quic-go's does not answer then: so one that is heard is enough.
func (c *conn) moveTo(source netip.Addr) error {
	transport, err := c.client.bind()
	if err != nil {
		return err
	}
	path, err := c.QUIC.AddPath(transport)
	if err != nil {
		return err // the server wants none to move
	}
	heard := c.QUIC.ConnectionStats().PacketsReceived
	for until := time.Now().Add(moveFor); ; {
		ctx, cancel := context.WithTimeout(c.QUIC.Context(), probeFor)
		err = path.Probe(ctx)
		cancel()
		switch {
		case err == nil:
			err = path.Switch()
		case c.QUIC.Context().Err() == nil && c.QUIC.ConnectionStats().PacketsReceived > heard:
			path.Close()
			path, err = nil, nil
		case c.QUIC.Context().Err() == nil && time.Now().Before(until):
			continue
		}
		break
	}
	if err != nil {
		path.Close()
		return err
	}
	if old := c.movement.path; old != nil {
		old.Close()
	}
	c.movement.path = path
	c.client.stats.Add(sink.ClientStatConnectionsMoved, 1)
	c.Log(sink.LogInfo, "the connection goes on from "+source.String())
	return nil
}
