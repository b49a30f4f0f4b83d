package datagram

import (
	"testing"
	"time"
)

// Streams are looked at in any order: that an older one was seen after a newer one does not make the newer one one that is still to come.
func TestAnOlderStreamIsSeenLater(t *testing.T) {
	f := settled(t, plain)
	f.flows.early.wait = time.Hour
	f.flows.Expect(0)
	f.flows.Seen(8)
	f.flows.Seen(0)
	f.come(8, "a")
	f.come(4, "b")
	f.come(0, "c")
	f.come(12, "d") // kept
	f.expect(counts{in: 4, unknown: 3})
}
