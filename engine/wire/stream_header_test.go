package wire

import (
	"bytes"
	"testing"
)

func TestStreamHeaders(t *testing.T) {
	for _, c := range []struct {
		uni     bool
		session uint64
		want    []byte
	}{
		{false, 0, join(0x41, 0)}, {true, 0, join(0x54, 0)}, {false, 4, join(0x41, 4)}, {true, 64, join(0x54, 64)},
		{true, 1 << 20, join(0x54, 1<<20)}, {false, 1<<62 - 4, join(0x41, uint64(1<<62-4))},
	} {
		if got := AppendStreamHeader([]byte("x"), c.uni, c.session)[1:]; !bytes.Equal(got, c.want) || StreamHeaderLen(c.uni, c.session) != len(got) {
			t.Errorf("%+v: %x, %d", c, got, StreamHeaderLen(c.uni, c.session))
		}
	}
}
