package wire

import (
	"errors"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// join makes bytes: numbers become integers of variable length, strings themselves.
func join(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b = quicvarint.Append(b, uint64(part))
		case uint64:
			b = quicvarint.Append(b, part)
		case string:
			b = append(b, part...)
		case []byte:
			b = append(b, part...)
		default:
			panic(part)
		}
	}
	return b
}

// codeOf is the code that an error of this package has, 0 for none.
func codeOf(t testing.TB, err error) http3.ErrCode {
	t.Helper()
	var (
		conn    *ConnectionError
		capsule *CapsuleError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &conn):
		return conn.Code
	case errors.As(err, &capsule):
		return capsule.Code
	}
	t.Fatalf("an error with no code: %v", err)
	return 0
}

func noAllocations(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}
