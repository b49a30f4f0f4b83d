//go:build !linux

package engine

import "net"

// newSocket gives quic-go the socket as it is: only Linux has messages of several datagrams.
func newSocket(u *net.UDPConn) net.PacketConn { return u }
