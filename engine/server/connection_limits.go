package server

import (
	"net"
	"net/netip"
	"sync"
)

// A connectionLimits counts the connections of a server, in all and by origin, from the begin of each handshake to the connection's end.
//
// Who sends forged packets begins handshakes in the name of others, which never finish. So a handshake counts at its origin only once its
// address is proven, by a token or by the handshake's end; and addresses that are not proven get at most half of the places that are left,
// in all and at each origin: beyond that they must be proven first (Retry), which costs an honest client one round trip, and nobody a place.
type connectionLimits struct {
	most, mostOfOne int

	mu       sync.Mutex
	total    places
	byOrigin map[netip.Prefix]*places
}

// places are how many connections there are.
type places struct {
	proven   int
	unproven int // handshakes whose address may be forged
}

// room reports whether there is one for a connection whose address is proven or not.
func (p *places) room(most int, proven bool) bool {
	if proven {
		return p.proven+p.unproven < most
	}
	return 2*(p.unproven+1) <= most-p.proven
}

// full reports whether a connection is refused, however much its address is proven.
func (p *places) full(most int) bool { return p.proven >= most }

// A place is what a connection takes of the limits.
type place struct {
	limits *connectionLimits
	origin netip.Prefix
	proven bool
	given  bool // back
}

func newConnectionLimits(most, mostOfOne int) *connectionLimits {
	return &connectionLimits{most: most, mostOfOne: mostOfOne, byOrigin: map[netip.Prefix]*places{}}
}

// originOf is what connections of one peer have in common: its IPv4 address, or its network of 64 bits of IPv6, in which it may have as many
// addresses as it likes.
func originOf(addr net.Addr) netip.Prefix {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := udp.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	origin, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of no address
	}
	return origin
}

// at are the places of an origin. l.mu is held.
func (l *connectionLimits) at(origin netip.Prefix) places {
	if p := l.byOrigin[origin]; p != nil {
		return *p
	}
	return places{}
}

// mustProve reports whether a handshake from addr must begin with the proof that the address is real. Where it would be refused all the same,
// it need not.
func (l *connectionLimits) mustProve(addr net.Addr) bool {
	origin := originOf(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	its := l.at(origin)
	if l.total.full(l.most) || its.full(l.mostOfOne) {
		return false
	}
	return !l.total.room(l.most, false) || !its.room(l.mostOfOne, false)
}

// take takes a place for a handshake that begins. It gives nil when there is none.
func (l *connectionLimits) take(addr net.Addr, proven bool) *place {
	p := &place{limits: l, origin: originOf(addr), proven: proven}
	l.mu.Lock()
	defer l.mu.Unlock()
	its := l.at(p.origin)
	if proven {
		its.unproven = 0 // they may be somebody else's
	}
	if !l.total.room(l.most, proven) || !its.room(l.mostOfOne, proven) {
		return nil
	}
	l.add(p, 1)
	return p
}

// add counts a place, or its end. l.mu is held.
func (l *connectionLimits) add(p *place, n int) {
	its := l.byOrigin[p.origin]
	if its == nil {
		its = &places{}
		l.byOrigin[p.origin] = its
	}
	if p.proven {
		l.total.proven += n
		its.proven += n
	} else {
		l.total.unproven += n
		its.unproven += n
	}
	if *its == (places{}) {
		delete(l.byOrigin, p.origin)
	}
}

// prove says that the handshake has come to its end. It reports false when meanwhile others have taken what there was at the origin.
func (p *place) prove() bool {
	l := p.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.proven || p.given {
		return true
	}
	if its := l.at(p.origin); its.full(l.mostOfOne) {
		return false
	}
	l.add(p, -1)
	p.proven = true
	l.add(p, 1)
	return true
}

// give gives the place back, once.
func (p *place) give() {
	l := p.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if !p.given {
		p.given = true
		l.add(p, -1)
	}
}
