package wire

import (
	"math/rand/v2"
	"testing"
)

func TestCodesOfApplications(t *testing.T) {
	for app, wire := range map[uint32]uint64{0: 0x52e4a40fa8db, 1: 0x52e4a40fa8dc, 29: 0x52e4a40fa8f8, 30: 0x52e4a40fa8fa, 255: 0x52e4a40fa9e2, 0xffffffff: 0x52e5ac983162} {
		if got := WTCode(app); got != wire {
			t.Errorf("%d is %#x, want %#x", app, got, wire)
		}
		if got, ok := AppCode(wire); !ok || got != app {
			t.Errorf("%#x is %d, %v", wire, got, ok)
		}
	}
	// 0x52e4a40fa8f9 is one of those that HTTP/3 keeps for itself.
	for _, wire := range []uint64{0, 0x10c, 0x52e4a40fa8da, 0x52e4a40fa8f9, 0x52e5ac983163, 1<<62 - 1, uint64(ErrCodeSessionGone)} {
		if app, ok := AppCode(wire); ok {
			t.Errorf("%#x is %d", wire, app)
		}
	}
	for range 100_000 {
		app := rand.Uint32()
		wire := WTCode(app)
		if got, ok := AppCode(wire); !ok || got != app || (wire-0x21)%0x1f == 0 {
			t.Fatalf("%d: %#x, %d, %v", app, wire, got, ok)
		}
	}
}

// FuzzAppCode: a code is an application's if and only if one of an application's becomes it.
func FuzzAppCode(f *testing.F) {
	f.Add(uint64(0x52e4a40fa8db))
	f.Add(uint64(0x52e4a40fa8f9))
	f.Add(uint64(0x52e5ac983162))
	f.Fuzz(func(t *testing.T, wire uint64) {
		app, ok := AppCode(wire)
		if ok != (WTCode(app) == wire) {
			t.Fatalf("%#x: %d, %v", wire, app, ok)
		}
	})
}
