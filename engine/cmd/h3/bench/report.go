package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
)

// A report is what a measurement came to. Where tests/bench has the same figure, it has the same name.
type report struct {
	Connections     int              `json:"connections"`
	Streams         int              `json:"streams"`
	Seconds         float64          `json:"seconds"`
	Requests        int64            `json:"requests"` // that have ended well, whatever their status
	Failed          int64            `json:"failed"`
	FirstFailure    string           `json:"first_failure"`
	Statuses        map[string]int64 `json:"statuses"`
	RequestsSecond  float64          `json:"requests_per_second"`
	MegabytesSecond float64          `json:"megabytes_per_second"` // 10^6 bytes of bodies, both ways
	P50             float64          `json:"p50_us"`
	P90             float64          `json:"p90_us"`
	P99             float64          `json:"p99_us"`
	P999            float64          `json:"p999_us"`
	Most            float64          `json:"max_us"`
	ClientCPU       float64          `json:"client_cpu_us_per_request"`
	ServerCPU       float64          `json:"server_cpu_us_per_request,omitempty"` // with --pid
}

func newReport(o *options, sum *result, took, own, server time.Duration, failure error) *report {
	n := float64(sum.latencies.total)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	r := &report{
		Connections: o.connections, Streams: o.streams, Seconds: took.Seconds(), Requests: sum.latencies.total, Failed: sum.failed, Statuses: map[string]int64{},
		RequestsSecond: n / took.Seconds(), MegabytesSecond: (float64(sum.received) + n*float64(o.bytes)) / 1e6 / took.Seconds(),
		P50: us(sum.latencies.quantile(0.5)), P90: us(sum.latencies.quantile(0.9)), P99: us(sum.latencies.quantile(0.99)), P999: us(sum.latencies.quantile(0.999)),
		Most: us(sum.latencies.most), ClientCPU: us(own) / n, ServerCPU: us(server) / n,
	}
	for status, count := range sum.statuses {
		r.Statuses[strconv.Itoa(status)] = count
	}
	if failure != nil {
		r.FirstFailure = failure.Error()
	}
	return r
}

// write writes the report, as a line of JSON or for people.
func (r *report) write(w io.Writer, machine bool) error {
	if machine {
		return json.NewEncoder(w).Encode(r)
	}
	statuses := ""
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		statuses += fmt.Sprintf("  %d with status %s\n", r.Statuses[status], status)
	}
	text := fmt.Sprintf("%d connections, %d requests in flight on each, %.2f s\n\n%.0f requests/s, %.1f MB/s of bodies\n%s", r.Connections, r.Streams, r.Seconds, r.RequestsSecond,
		r.MegabytesSecond, statuses)
	if r.Failed > 0 {
		text += fmt.Sprintf("  %d failed, the first of them: %s\n", r.Failed, r.FirstFailure)
	}
	text += fmt.Sprintf("\nlatency  p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, at most %.0f us\nCPU      %.1f us for each request here", r.P50, r.P90, r.P99, r.P999, r.Most, r.ClientCPU)
	if r.ServerCPU > 0 {
		text += fmt.Sprintf(", %.1f us in the server", r.ServerCPU)
	}
	_, err := io.WriteString(w, text+"\n")
	return err
}
