package main

import (
	"encoding/binary"
	"net"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/ipv4"
)

// segmentOf is the ancillary data with which quic-go asks the kernel to cut a write.
func segmentOf(size uint16) []byte {
	b := make([]byte, syscall.CmsgSpace(2))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = syscall.IPPROTO_UDP, 103
	h.SetLen(syscall.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[syscall.CmsgLen(0):], size)
	return b
}

func TestSegmentsOfAWrite(t *testing.T) {
	for _, c := range []struct {
		size int
		oob  []byte
		want int
	}{{1200, nil, 1}, {1200, segmentOf(1200), 1}, {1201, segmentOf(1200), 2}, {2400, segmentOf(1200), 2}, {12000, segmentOf(1200), 10}} {
		if got := segments(c.size, c.oob); got != c.want {
			t.Errorf("%d bytes, %d of ancillary data: %d datagrams, want %d", c.size, len(c.oob), got, c.want)
		}
	}
}

// What one socket says it has sent, cut by the kernel, is what the other says it has got.
func TestSocketCountsDatagramsBothWays(t *testing.T) {
	var from, to datagrams
	a, err := listenCounting(&from)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := listenCounting(&to)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, _, err := a.WriteMsgUDP(make([]byte, 2500), segmentOf(1000), b.LocalAddr().(*net.UDPAddr)); err != nil {
		t.Fatal(err)
	}
	if sent, received := from.total(); sent != 3 || received != 0 {
		t.Fatalf("the sender counts %d sent and %d received, want 3 and 0", sent, received)
	}
	messages := make([]ipv4.Message, 8)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, 1500)}
	}
	for n := 0; n < 3; {
		got, err := b.ReadBatch(messages, 0)
		if err != nil {
			t.Fatal(err)
		}
		n += got
	}
	if sent, received := to.total(); sent != 0 || received != 3 {
		t.Fatalf("the receiver counts %d sent and %d received, want 0 and 3", sent, received)
	}
}
