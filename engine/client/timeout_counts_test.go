package client

import (
	"testing"

	"zigh3/engine/sink"
)

// Whatever a fetch has run out of time for, it is counted among the timeouts, once, and among those that have failed.
func TestTimeoutsAreCounted(t *testing.T) {
	h := holdRequests(t, 10)
	for _, c := range []struct {
		options, authority string
		code               sink.Code
	}{
		{`{"queue_timeout_ms": 20, "connect_timeout_ms": 600000}`, "slow.test", sink.ErrPoolTimeout},
		{`{"connect_timeout_ms": 20, "queue_timeout_ms": 86400000}`, "slow.test", sink.ErrConnectTimeout},
		{`{"response_timeout_ms": 20, "queue_timeout_ms": 86400000, "connect_timeout_ms": 600000}`, h.addr, sink.ErrTimeout},
		{`{"request_timeout_ms": 20, "queue_timeout_ms": 86400000, "connect_timeout_ms": 600000}`, h.addr, sink.ErrTimeout},
	} {
		f := newFixture(t, c.options)
		f.client.lookup = blocked
		if a := f.startGet(c.authority).wait(); a.end.Code != c.code {
			t.Errorf("%s: %v", c.options, a)
		}
		if late, failed := f.stats[sink.StatTimeouts].Load(), f.stats[sink.ClientStatFetchesFailed].Load(); late != 1 || failed != 1 {
			t.Errorf("%s: %d timeouts, %d have failed", c.options, late, failed)
		}
	}
}
