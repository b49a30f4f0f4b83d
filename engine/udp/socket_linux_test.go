package udp

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"zigh3/engine/enginetest"
)

// What a peer sent in a row, what another sent, and datagrams without a byte are those that were sent, each with its sender.
func TestMessagesOfSeveralDatagramsAreTakenApart(t *testing.T) {
	u := listenUDP(t)
	conn := NewSocket(u)
	s, ok := conn.(*socket)
	if !ok {
		t.Fatal("this kernel has no UDP_GRO")
	}
	one, two := listenUDP(t), listenUDP(t)
	type datagram struct {
		text string
		from string
	}
	var want []datagram
	send := func(from *net.UDPConn, segment int, text []byte) {
		if _, _, err := from.WriteMsgUDP(text, segments(segment), u.LocalAddr().(*net.UDPAddr)); err != nil {
			t.Fatal(err)
		}
		for begin := 0; begin == 0 || begin < len(text); begin += segment {
			want = append(want, datagram{string(text[begin:min(begin+segment, len(text))]), from.LocalAddr().String()})
		}
	}
	long := make([]byte, 20*1200+7)
	for i := range long {
		long[i] = byte(i / 1200)
	}
	send(one, 1200, long)
	send(two, 1200, []byte("alone"))
	send(two, 1200, nil)
	send(one, 3, []byte("abcdefg"))
	send(two, 1200, bytes.Repeat([]byte("x"), 2400))

	u.SetReadDeadline(time.Now().Add(enginetest.Patience))
	ms := make([]ipv4.Message, 3) // fewer than one message holds
	for i := range ms {
		ms[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 1452)}, OOB: make([]byte, 128)}
	}
	reads := 0
	var got []datagram
	for len(got) < len(want) {
		if s.next == len(s.messages) {
			reads++
		}
		n, err := s.ReadBatch(ms, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms[:n] {
			got = append(got, datagram{string(m.Buffers[0][:m.N]), m.Addr.String()})
		}
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("datagram %d is %q of %s, want %q of %s", i, got[i].text, got[i].from, want[i].text, want[i].from)
		}
	}
	if reads != 1 {
		t.Errorf("%d system calls for five messages that were there", reads)
	}
}

// A datagram that is larger than quic-go's buffer is cut off, as the kernel would cut it.
func TestADatagramBeyondTheBufferIsCut(t *testing.T) {
	u := listenUDP(t)
	s := NewSocket(u).(*socket)
	from := listenUDP(t)
	for _, text := range []string{"0123456789", "next"} {
		if _, err := from.WriteTo([]byte(text), u.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	u.SetReadDeadline(time.Now().Add(enginetest.Patience))
	for _, want := range []string{"0123", "next"} {
		ms := []ipv4.Message{{Buffers: [][]byte{make([]byte, 4)}, OOB: make([]byte, 128)}}
		if _, err := s.ReadBatch(ms, 0); err != nil {
			t.Fatal(err)
		}
		if got := string(ms[0].Buffers[0][:ms[0].N]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// segments asks the kernel to send a message as datagrams of a size (UDP_SEGMENT).
func segments(size int) []byte {
	control := make([]byte, unix.CmsgSpace(2))
	head := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	head.Level, head.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	head.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], uint16(size))
	return control
}
