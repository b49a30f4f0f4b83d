package main

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/ipv4"
)

// datagrams counts what crosses a client's sockets, each UDP datagram once whichever system call carried it.
type datagrams struct{ sent, received atomic.Int64 }

func (d *datagrams) total() (sent, received int64) { return d.sent.Load(), d.received.Load() }

// countingSocket is a UDP socket that counts its datagrams. It keeps what quic-go looks for in a *net.UDPConn (batched reads,
// ancillary data, segmentation offload), so that the client behaves as an ordinary one.
type countingSocket struct {
	*net.UDPConn
	batch *ipv4.PacketConn
	count *datagrams
}

func listenCounting(count *datagrams) (*countingSocket, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return &countingSocket{UDPConn: conn, batch: ipv4.NewPacketConn(conn), count: count}, nil
}

// ReadBatch is what quic-go reads with. Received segments come one by one: nobody asked the kernel to coalesce them.
func (s *countingSocket) ReadBatch(messages []ipv4.Message, flags int) (int, error) {
	n, err := s.batch.ReadBatch(messages, flags)
	s.count.received.Add(int64(max(n, 0)))
	return n, err
}

// WriteMsgUDP is what quic-go writes with, a run of datagrams in one call where the kernel cuts them (UDP_SEGMENT).
func (s *countingSocket) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = s.UDPConn.WriteMsgUDP(b, oob, addr)
	if err == nil {
		s.count.sent.Add(int64(segments(len(b), oob)))
	}
	return n, oobn, err
}

// segments says how many datagrams a write of size bytes becomes.
func segments(size int, oob []byte) int {
	const udpSegment = 103 // UDP_SEGMENT, linux/udp.h
	if len(oob) == 0 {
		return 1
	}
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 1
	}
	for _, m := range messages {
		if m.Header.Level == syscall.IPPROTO_UDP && m.Header.Type == udpSegment && len(m.Data) >= 2 {
			if segment := int(binary.NativeEndian.Uint16(m.Data)); segment > 0 {
				return (size + segment - 1) / segment
			}
		}
	}
	return 1
}
