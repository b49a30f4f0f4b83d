package udp

import (
	"encoding/binary"
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// socketBatch is how many messages are taken with one system call.
	socketBatch = 8
	// largestMessage is the most that the kernel puts into one.
	largestMessage = 64 << 10
	// largestControl has room for what is told beside one: segment size, ECN, local address.
	largestControl = 128
)

// A socket reads UDP as the kernel has it: datagrams that one peer sent in a row come as one message (UDP_GRO), and each of them takes
// next to nothing of a system call and of the way through the kernel. quic-go wants a packet in each of its buffers, so the message is
// taken apart here, for one copy of each packet. Only quic-go's reading goroutine calls ReadBatch.
type socket struct {
	*net.UDPConn
	from     *ipv4.PacketConn // of either family
	messages []ipv4.Message   // what was read, and from next on not given out
	next     int
	given    int // bytes of the next one
}

// NewSocket makes quic-go read from u so, if the kernel can.
func NewSocket(u *net.UDPConn) net.PacketConn {
	if err := coalesce(u); err != nil {
		return u
	}
	s := &socket{UDPConn: u, from: ipv4.NewPacketConn(u), messages: make([]ipv4.Message, socketBatch)}
	for i := range s.messages {
		s.messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, largestMessage)}, OOB: make([]byte, largestControl)}
	}
	s.messages = s.messages[:0]
	return s
}

// coalesce asks for messages of several datagrams (Linux 5.0).
func coalesce(u *net.UDPConn) error {
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) }); err != nil {
		return err
	}
	return set
}

// ReadBatch is what quic-go calls in place of a read of its own, where a connection has it.
func (s *socket) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	if s.next == len(s.messages) {
		n, err := s.from.ReadBatch(s.messages[:socketBatch], flags)
		if err != nil {
			return 0, err
		}
		s.messages, s.next, s.given = s.messages[:n], 0, 0
	}
	n := 0
	for ; n < len(ms) && s.next < len(s.messages); n++ {
		s.give(&ms[n])
	}
	return n, nil
}

// give copies the next datagram to m.
func (s *socket) give(m *ipv4.Message) {
	from := &s.messages[s.next]
	end := min(s.given+segmentSize(from), from.N)
	m.N = copy(m.Buffers[0], from.Buffers[0][s.given:end])
	m.NN = copy(m.OOB, from.OOB[:from.NN])
	m.Addr = from.Addr
	if s.given = end; end == from.N {
		s.next, s.given = s.next+1, 0
	}
}

// segmentSize is how long the datagrams of a message are; the last one may be shorter.
func segmentSize(m *ipv4.Message) int {
	for control := m.OOB[:m.NN]; len(control) > 0; {
		head, body, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if head.Level == unix.IPPROTO_UDP && head.Type == unix.UDP_GRO && len(body) >= 4 {
			return max(int(binary.NativeEndian.Uint32(body)), 1)
		}
		control = rest
	}
	return m.N
}
