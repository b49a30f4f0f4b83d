package client

import (
	"testing"
	"time"

	"zigh3/engine/sink"
)

// Of several deadlines the earliest holds, in whatever order they are given; never is none.
func TestTheEarliestDeadlineHolds(t *testing.T) {
	const soon = 20 * time.Millisecond
	h := holdRequests(t, 10)
	for _, deadlines := range [][2]time.Duration{{time.Hour, soon}, {soon, time.Hour}, {-1, soon}, {soon, -1}} {
		f := newFixture(t, "")
		a := f.startGet(h.addr)
		h.next()
		for _, d := range deadlines {
			f.client.Close(d)
		}
		if a.wait(); a.end.Code != sink.ErrShutdown {
			t.Errorf("%v: %v", deadlines, a)
		}
		end := within(t, "CLIENT_CLOSED", f.closed)
		if end.Code != sink.ErrTimeout {
			t.Errorf("%v: %+v", deadlines, end.Event)
		}
		f.closed <- end // for the end of the test
	}
}
