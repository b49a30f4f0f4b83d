package bench

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// The figures are of what was measured: bodies count both ways, and costs are those of one request.
func TestAReportOfWhatWasMeasured(t *testing.T) {
	sum := &result{statuses: map[int]int64{200: 3, 404: 1}, received: 6e6, failed: 2}
	for _, us := range []time.Duration{1, 1, 1, 5} {
		sum.latencies.add(us * time.Microsecond)
	}
	r := newReport(&options{connections: 7, streams: 8, bytes: 1e6}, sum, 2*time.Second, 8*time.Millisecond, 4*time.Millisecond, errors.New("why"))
	r.P50, r.P90, r.P99, r.P999 = 0, 0, 0, 0 // see TestQuantiles
	want := &report{Connections: 7, Streams: 8, Seconds: 2, Requests: 4, Failed: 2, FirstFailure: "why", Statuses: map[string]int64{"200": 3, "404": 1}, RequestsSecond: 2,
		MegabytesSecond: 5, Most: 5, ClientCPU: 2000, ServerCPU: 1000}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("%+v, not %+v", r, want)
	}
}
