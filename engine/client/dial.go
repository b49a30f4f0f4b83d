package client

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// attemptDelay is what one address gets before the next is tried beside it (RFC 8305, 5).
const attemptDelay = 250 * time.Millisecond

// connectTimes are what a connection took to come to be.
type connectTimes struct {
	lookup    time.Duration // of its name
	attempt   time.Duration // from then until the attempt began that has come through: others went before it
	handshake time.Duration // of that
}

// dial connects to an origin, on a goroutine that may wait; early says that the handshake may be still to come: what that takes is not
// known then. Its failures are *sink.Error.
func (c *Client) dial(key originKey, early bool) (*quic.Conn, connectTimes, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.options.ConnectTimeout)
	defer cancel()
	wanted := time.Now()
	addresses, err := c.addresses(ctx, key)
	if err != nil {
		return nil, connectTimes{}, err
	}
	known := time.Now()
	if early {
		if q := c.dialEarly(ctx, key, addresses); q != nil {
			return q, connectTimes{}, nil
		}
	}
	transport, err := c.bind()
	if err != nil {
		return nil, connectTimes{}, err
	}
	var came sync.Map // *quic.Conn to the connectTimes of its attempt
	q, err := race(ctx, addresses, attemptDelay, func(ctx context.Context, at netip.AddrPort) (*quic.Conn, error) {
		ctx, refused := context.WithCancelCause(ctx)
		defer refused(nil)
		go sink.Guard("probe", func() { probe(ctx, at, refused) })
		began := time.Now()
		q, err := transport.Dial(ctx, net.UDPAddrFromAddrPort(at), c.tlsFor(key), c.quicFor(key))
		if err != nil {
			var told *sink.Error
			if errors.As(context.Cause(ctx), &told) {
				err = told
			}
			return nil, err
		}
		came.Store(q, connectTimes{lookup: known.Sub(wanted), attempt: began.Sub(known), handshake: time.Since(began)})
		return q, nil
	})
	if err != nil {
		return nil, connectTimes{}, dialError(key, err)
	}
	times, _ := came.Load(q)
	return q, times.(connectTimes), nil
}

// addresses are where an origin may be, in the order in which to try them.
func (c *Client) addresses(ctx context.Context, key originKey) ([]netip.AddrPort, error) {
	hosts := c.options.Hosts
	at, ok := hosts[key.host+":"+strconv.Itoa(int(key.port))]
	if !ok {
		at, ok = hosts[key.String()]
	}
	if !ok {
		at, ok = hosts[key.host]
	}
	if !ok {
		if ip, err := netip.ParseAddr(key.host); err == nil {
			return []netip.AddrPort{netip.AddrPortFrom(ip, key.port)}, nil
		}
		found, err := c.lookup(ctx, key.host)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil, &sink.Error{Code: sink.ErrConnectTimeout, Text: "looking up " + strconv.Quote(key.host) + " took too long", Err: err}
		case ctx.Err() != nil:
			return nil, dialError(key, ctx.Err())
		case err == nil && len(found) == 0:
			err = errors.New("no address")
			fallthrough
		case err != nil:
			return nil, &sink.Error{Code: sink.ErrResolve, Text: "cannot resolve " + strconv.Quote(key.host) + ": " + err.Error(), Err: err}
		}
		for _, ip := range found {
			at = append(at, netip.AddrPortFrom(ip.Unmap(), 0))
		}
		at = interleave(at)
	}
	all := make([]netip.AddrPort, 0, len(at))
	for _, a := range at {
		if a.Port() == 0 {
			a = netip.AddrPortFrom(a.Addr(), key.port)
		}
		all = append(all, a)
	}
	return all, nil
}

// interleave has the families take turns, IPv6 first, each in its order (RFC 8305, 4).
func interleave(at []netip.AddrPort) []netip.AddrPort {
	var families [2][]netip.AddrPort
	for _, a := range at {
		family := 0
		if a.Addr().Is4() {
			family = 1
		}
		families[family] = append(families[family], a)
	}
	mixed := make([]netip.AddrPort, 0, len(at))
	for i := range max(len(families[0]), len(families[1])) {
		for _, f := range families {
			if i < len(f) {
				mixed = append(mixed, f[i])
			}
		}
	}
	return mixed
}

// race tries addresses one behind the other, the next one delay behind the last or as soon as that has failed, and gives the first connection
// that comes to be. Others are closed. If none does, the error is the first that says more than that it took too long.
func race(ctx context.Context, addresses []netip.AddrPort, delay time.Duration, dial func(ctx context.Context, at netip.AddrPort) (*quic.Conn, error)) (*quic.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		q   *quic.Conn
		err error
	}
	results := make(chan result)
	next, running := 0, 0
	begin := func() {
		at := addresses[next]
		next++
		running++
		go sink.Guard("dial", func() {
			q, err := dial(ctx, at)
			results <- result{q, err}
		})
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	begin()
	var won *quic.Conn
	var first error
	for running > 0 {
		select {
		case <-timer.C:
			if won == nil && next < len(addresses) {
				begin()
				timer.Reset(delay)
			}
		case r := <-results:
			running--
			switch {
			case r.err == nil && won == nil:
				won = r.q
				cancel()
			case r.err == nil:
				r.q.CloseWithError(0x100, "")
			case won == nil:
				if first == nil || timedOut(first) && !timedOut(r.err) {
					first = r.err
				}
				if next < len(addresses) && ctx.Err() == nil {
					begin()
					timer.Reset(delay)
				}
			}
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, first
}

func timedOut(err error) bool {
	var late *quic.HandshakeTimeoutError
	var idle *quic.IdleTimeoutError
	return errors.As(err, &late) || errors.As(err, &idle) || errors.Is(err, context.DeadlineExceeded)
}

// Probing: the socket that all connections share is not told when nobody listens at an address. One that is connected to it is, so where no
// handshake comes to be for a while, a datagram of one byte, which QUIC drops, goes out on such a socket.
const (
	firstProbe = 50 * time.Millisecond
	lastProbe  = 2 * time.Second
)

// probe tells refused why an address does not answer, if the system says so, until ctx is done.
func probe(ctx context.Context, at netip.AddrPort, refused func(cause error)) {
	wait := time.NewTimer(firstProbe)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return
	}
	socket, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		refused(addressError(at, err))
		return
	}
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { sink.Guard("probe", func() { socket.SetReadDeadline(time.Unix(1, 0)) }) })
	defer stop()
	var b [1]byte
	for step := firstProbe; ctx.Err() == nil; step = min(2*step, lastProbe) {
		if _, err = socket.Write(b[:]); err == nil {
			socket.SetReadDeadline(time.Now().Add(step))
			if ctx.Err() != nil {
				return
			}
			_, err = socket.Read(b[:])
		}
		if known := addressError(at, err); known != nil {
			refused(known)
			return
		}
		b[0] = 0
	}
}

// addressError is what the system says of an address, nil if it says nothing.
func addressError(at netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &sink.Error{Code: sink.ErrRefused, Text: at.String() + ": ECONNREFUSED: nobody listens there", Err: err}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EADDRNOTAVAIL):
		return &sink.Error{Code: sink.ErrUnreachable, Text: at.String() + ": " + err.Error(), Err: err}
	}
	return nil
}

// dialError says what the failure of a connection means to the consumer.
func dialError(key originKey, err error) *sink.Error {
	var (
		told      *sink.Error
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		transport *quic.TransportError
		version   *quic.VersionNegotiationError
	)
	e := &sink.Error{Code: sink.ErrIO, Text: key.String() + ": " + err.Error(), Err: err}
	switch {
	case errors.As(err, &told):
		e.Code, e.Text = told.Code, told.Text
		if !strings.HasPrefix(e.Text, key.String()+": ") { // which it does where the origin is an address
			e.Text = key.String() + ": " + e.Text
		}
	case errors.As(err, &authority):
		e.Code, e.Text = sink.ErrUnknownAuthority, key.String()+": "+authority.Error()
	case errors.As(err, &name):
		e.Code, e.Text = sink.ErrWrongName, key.String()+": "+name.Error()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Code, e.Text = sink.ErrExpired, key.String()+": "+invalid.Error()
	case errors.As(err, &invalid):
		e.Code, e.Text = sink.ErrUnknownAuthority, key.String()+": "+invalid.Error()
	case timedOut(err):
		e.Code, e.Text = sink.ErrConnectTimeout, key.String()+": no handshake in time"
	case addressError(netip.AddrPort{}, err) != nil:
		e.Code = sink.ErrUnreachable
	case errors.As(err, &transport), errors.As(err, &version):
		e.Code = sink.ErrHandshake
	case errors.Is(err, context.Canceled):
		e.Code, e.Text = sink.ErrShutdown, key.String()+": the client was closed"
	default:
		e.Code = message.OutcomeOf(err).Code
	}
	return e
}
