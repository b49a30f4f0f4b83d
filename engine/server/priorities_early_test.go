package server

import (
	"fmt"
	"slices"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/wire"
)

// What was said of requests that are still to come is remembered for each, the last word of it, until it comes, and of as many as may be.
func TestPrioritiesOfRequestsToCome(t *testing.T) {
	p := &priorities{}
	say := func(id uint64, urgency uint8) {
		p.keep(wire.PriorityUpdate{ID: id, Priority: wire.Priority{Urgency: urgency}, Given: true})
	}
	takes := func(id uint64) string {
		u, ok := p.take(id)
		return fmt.Sprint(u.Priority.Urgency, " ", ok)
	}
	say(4, 1)
	say(8, 2)
	say(4, 5)
	say(12, 0)
	var got []string
	for _, id := range []uint64{0, 4, 4, 12, 8, 8} {
		got = append(got, takes(id))
	}
	if want := "[0 false 5 true 0 false 0 true 2 true 0 false]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for i := range uint64(mostPriorities + 2) {
		say(4*i, 7)
	}
	if len(p.list) != mostPriorities || takes(0) != "0 false" || takes(4) != "0 false" || takes(8) != "7 true" || takes(4*(mostPriorities+1)) != "7 true" {
		t.Errorf("%d are remembered: %+v", len(p.list), p.list)
	}
}

// RFC 9218, 7.2: a PRIORITY_UPDATE may be of any request that the peer may send, and of no other.
func TestPrioritiesWithinTheLimit(t *testing.T) {
	withAndWithoutDatagram(t, func(t *testing.T) {
		f := serve(t, `{"max_incoming_streams": 8}`, 0, hello)
		streams := uint64(f.server.streams)
		for id, want := range map[uint64]string{4 * (streams - 1): "lives", 4 * streams: "connection H3_ID_ERROR"} {
			c := enginetest.Dial(t, f.addr, enginetest.Options{Datagrams: offersDatagram})
			c.SendPriorityUpdate(id, "u=1")
			if want != "lives" {
				if got := c.Closed(); got != want {
					t.Errorf("stream %d of %d: %q, want %q", id, streams, got, want)
				}
				continue
			}
			eventually(t, "remembered", func() bool {
				return slices.ContainsFunc(f.server.connsForTest(), func(c *conn) bool { return c.priorities.some.Load() })
			})
			if resp := c.Get("/"); resp.Status != 200 {
				t.Errorf("a request afterwards: %d", resp.Status)
			}
			c.Close()
		}
	})
}
