package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

// Early data (0-RTT): a server that has given a session ticket which allows it, at the address where it was last, may get safe requests in front
// of the handshake. Until that is complete the connection is early: it takes no other fetch, no session and no wish. What the server does not take
// as early data, or what is lost with an early connection, goes out once more behind a handshake: nothing of it was answered, and it is safe.

// usualEarly is how long an early connection may take to become one, before all of the server's addresses are tried.
const usualEarly = 2 * time.Second

// statusTooEarly is what a server answers that wants a request again behind the handshake (RFC 8470, 5.2).
const statusTooEarly = 425

// safe reports whether a request does no harm that comes twice, and is all there.
func (r *Request) safe() bool {
	return (r.Method == "GET" || r.Method == "HEAD" || r.Method == "OPTIONS") && r.End && len(r.Body.Bytes) == 0 && !r.Datagrams
}

// known are the addresses at which servers were last.
type known struct {
	mu sync.Mutex
	at map[originKey]netip.AddrPort
}

// keep remembers an address, in the place of another server's if there are too many.
func (k *known) keep(key originKey, q *quic.Conn) {
	at, err := netip.ParseAddrPort(q.RemoteAddr().String())
	if err != nil {
		return
	}
	key.alone = 0
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at == nil {
		k.at = make(map[originKey]netip.AddrPort)
	}
	if _, ok := k.at[key]; !ok && len(k.at) >= rememberedServers {
		for other := range k.at {
			delete(k.at, other)
			break
		}
	}
	k.at[key] = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func (k *known) get(key originKey) (at netip.AddrPort, ok bool) {
	key.alone = 0
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok = k.at[key]
	return at, ok
}

// tickets are the session tickets of one origin: those of a name may be another server's at another port.
type tickets struct {
	all tls.ClientSessionCache
	key string
}

// Get implements tls.ClientSessionCache.
func (t tickets) Get(name string) (*tls.ClientSessionState, bool) {
	return t.all.Get(t.key + " " + name)
}

// Put implements tls.ClientSessionCache.
func (t tickets) Put(name string, s *tls.ClientSessionState) { t.all.Put(t.key+" "+name, s) }

// allowEarly reports whether there is a ticket that lets early data go out with this configuration.
func allowEarly(t *tls.Config) bool {
	s, ok := t.ClientSessionCache.Get(t.ServerName)
	if !ok || s == nil {
		return false
	}
	_, state, err := s.ResumptionState()
	return err == nil && state != nil && state.EarlyData
}

// dialEarly makes a connection whose handshake may still be to come. nil: early data is not to be had.
func (c *Client) dialEarly(ctx context.Context, key originKey, addresses []netip.AddrPort) *quic.Conn {
	at, ok := c.known.get(key)
	if !ok || !slices.ContainsFunc(addresses, func(a netip.AddrPort) bool { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) == at }) {
		return nil
	}
	t := c.tlsFor(key)
	if !allowEarly(t) {
		return nil
	}
	transport, err := c.bind()
	if err != nil {
		return nil // which shows again
	}
	ctx, cancel := context.WithTimeout(ctx, c.earlyPatience)
	defer cancel()
	q, err := transport.DialEarly(ctx, net.UDPAddrFromAddrPort(at), t, c.quic)
	if err != nil {
		return nil // as much as all addresses may do
	}
	return q
}

// handshaken reports whether a connection's handshake is complete.
func handshaken(q *quic.Conn) bool {
	select {
	case <-q.HandshakeComplete():
		return true
	default:
		return false
	}
}

// awaitHandshake lets a connection take everything once it is early no more, and ends one that does not come to that.
func (c *conn) awaitHandshake() {
	timer := time.NewTimer(c.client.earlyPatience)
	defer timer.Stop()
	select {
	case <-c.QUIC.HandshakeComplete():
	case <-c.Done:
	case <-timer.C:
	}
	p := &c.client.pool
	if c.QUIC.Context().Err() == nil && handshaken(c.QUIC) && c.QUIC.ConnectionState().Used0RTT {
		c.early.Store(false)
		p.grant(c.origin)
		p.feed(c.origin)
		return
	}
	p.notEarly(c.origin)
	c.Close(http3.ErrCodeNoError, "early data came to nothing")
}

// notEarly has the origin's next connections made without early data.
func (p *pool) notEarly(o *origin) {
	p.mu.Lock()
	o.late = true
	p.mu.Unlock()
}

// resend has a try sent once more that was early data which came to nothing, or whose connection was turned away. err is its stream's, if it has one.
// f.mu is held.
func (tr *try) resend(err error) bool {
	early := tr.early && tr.c.early.Load()
	if !early && !(tr.f.safe && tr.c.turnedAway(err)) || !tr.f.mayRetry() {
		return false
	}
	tr.refused(uint64(http3.ErrCodeRequestRejected))
	return true
}

// tooEarly reports whether a response says that the request is to come again behind the handshake, and has it sent so.
func (tr *try) tooEarly(status int) bool {
	if status != statusTooEarly || !tr.early {
		return false
	}
	f := tr.f
	f.mu.Lock()
	defer f.mu.Unlock() // whoever reads the response runs, and does what is due
	if !tr.current() || !f.mayRetry() {
		return false
	}
	tr.refused(uint64(http3.ErrCodeRequestRejected))
	return true
}

// earlyFlag is that of a response to what went out as early data.
func (tr *try) earlyFlag() uint16 {
	if tr.early {
		return sink.FlagEarly
	}
	return 0
}
