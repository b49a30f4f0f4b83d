//go:build !linux

package udp

import "net"

// NewSocket gives quic-go the socket as it is: only Linux has messages of several datagrams.
func NewSocket(u *net.UDPConn) net.PacketConn { return u }
