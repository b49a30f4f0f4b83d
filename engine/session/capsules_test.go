package session

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/quicvarint"
	"pgregory.net/rapid"

	"zigh3/engine/wire"
)

// parseCapsules says what capsules there are, in order.
func parseCapsules(t interface{ Fatal(...any) }, b []byte) (all []string) {
	for len(b) > 0 {
		typ, n, err := quicvarint.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		length, m, err := quicvarint.Parse(b[n:])
		if err != nil || uint64(len(b)-n-m) < length {
			t.Fatal("cut")
		}
		payload := b[n+m:][:length]
		b = b[n+m+int(length):]
		text := fmt.Sprintf("%x", typ)
		if length > 0 {
			value, _, err := quicvarint.Parse(payload)
			if err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprint(" ", value)
		}
		all = append(all, text)
	}
	return all
}

// However much there is to be told before it can be, it becomes one capsule of each kind, with the newest that there is to say.
func TestDueCapsulesAreOneOfEachKind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var due dueCapsules
		newest := map[uint64]string{}
		for range rapid.IntRange(0, 40).Draw(t, "capsules") {
			value := rapid.Uint64Range(1, quicvarint.Max).Draw(t, "value")
			kind := rapid.IntRange(0, 1).Draw(t, "kind")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				due.drain = true
				newest[wire.CapsuleDrain] = ""
			case 1:
				due.maxData = value
				newest[wire.CapsuleMaxData] = fmt.Sprint(" ", value)
			case 2:
				due.maxStreams[kind] = value
				newest[maxStreamsCapsule[kind]] = fmt.Sprint(" ", value)
			case 3:
				due.blocked[ofBytes], due.dataBlocked = true, value-1
				newest[wire.CapsuleDataBlocked] = fmt.Sprint(" ", value-1)
			case 4:
				due.blocked[kind], due.streamsBlocked[kind] = true, value-1
				newest[streamsBlockedCapsule[kind]] = fmt.Sprint(" ", value-1)
			}
		}
		var want []string
		for typ, value := range newest {
			want = append(want, fmt.Sprintf("%x%s", typ, value))
		}
		got := parseCapsules(t, due.take())
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		if again := due.take(); len(again) > 0 {
			t.Fatalf("%x once more", again)
		}
	})
}

// A budget holds for a window, and begins anew behind it.
func TestCapsuleBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b capsuleBudget
		spend := func(n int) (over int) {
			for range n {
				if b.spend(3, time.Second) {
					over++
				}
			}
			return over
		}
		got := []int{spend(3), spend(2)}
		time.Sleep(time.Second)
		got = append(got, spend(1)) // the window is not over at its last moment
		time.Sleep(time.Nanosecond)
		got = append(got, spend(3), spend(1))
		if want := []int{0, 2, 1, 0, 1}; !slices.Equal(got, want) {
			t.Errorf("%v beyond it, want %v", got, want)
		}
	})
}
