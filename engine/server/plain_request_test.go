package server

import (
	"net"
	"slices"
	"testing"

	"zigh3/engine/wire"
)

// plainGet is a request that nothing is wrong with: name, value, name, value.
var plainGet = []string{":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/"}

// withFields is such a request with more fields.
func withFields(fields ...string) []string { return append(slices.Clone(plainGet), fields...) }

// decodedFields decodes what a client would make of fields.
func decodedFields(fields []string) (packed []byte, head wire.RequestHead, err error) {
	lim := wire.NewFieldLimits(64 << 10)
	dst := make([]byte, lim.PackedMax())
	head, err = wire.DecodeRequest(dst, encodeSection(fields...), lim)
	return dst[:head.MetaLen], head, err
}

// listenLoopback is a socket on a port that the system chooses.
func listenLoopback(t testing.TB) *net.UDPConn {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}
