package udp

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/net/ipv4"
)

// A lasting socket outlives the addresses that its packets go out from: what has no way for a moment is lost on it, as on any path, instead of
// ending every connection, as quic-go would have it.
type lasting struct {
	*net.UDPConn
	lost func()
}

// WriteMsgUDP is what quic-go sends with.
func (l *lasting) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = l.UDPConn.WriteMsgUDP(b, oob, to)
	if err != nil && wayLost(err) {
		l.lost()
		return len(b), len(oob), nil
	}
	return n, oobn, err
}

// wayLost reports whether the system knows no way to an address just now, or has lost the address that packets come from.
func wayLost(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETDOWN) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// batches is what a socket has that reads many packets at a time.
type batches interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
}

type lastingBatches struct {
	lasting
	batches
}

// NewLastingSocket is NewSocket for a client's, which is not bound to an address. lost is told of packets that had no way; it must not wait.
func NewLastingSocket(u *net.UDPConn, lost func()) net.PacketConn {
	l := lasting{u, lost}
	if b, ok := NewSocket(u).(batches); ok {
		return &lastingBatches{l, b}
	}
	return &l
}
