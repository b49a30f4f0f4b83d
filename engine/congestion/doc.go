// Package congestion decides how much a connection may send and how fast: BBR, version 3, as draft-ietf-ccwg-bbr-06 specifies it, and
// NewReno (RFC 9002), behind one interface, with a delivery-rate estimator and a pacer of their own. It knows no QUIC implementation:
// whoever has packets tells a Sender what was sent, acknowledged and lost, and asks it whether more may go. capi/quicgo brings it into
// quic-go.
//
//	sender.go        what the QUIC implementation tells and asks; the choice of the algorithm by the path; what an application limits
//	control.go       wishes for a connection, and reports of it
//	delivery.go      the connection's state, and the delivery-rate estimator
//	packets.go       what is under way
//	pacer.go         when packets leave
//	bbr.go           BBR: its constants, its state, and the order of what an ACK does
//	bbr_startup.go   its states Startup and Drain
//	bbr_probe_bw.go  its four states of ProbeBW
//	bbr_probe_rtt.go its state ProbeRTT, and the shortest round trip
//	bbr_model.go     its model of the path: rounds, bandwidth, aggregation, loss and marks, what was spurious
//	bbr_control.go   what follows from the model: rate, quantum, window
//	newreno.go       NewReno
//	max_filter.go    a maximum over a window
//
// Sections in comments are those of draft-ietf-ccwg-bbr-06, unless an RFC is named. C. (connection), P. (packet), RS. (rate sample)
// and BBR. are the draft's prefixes; here they are the types connection, packet, rateSample and bbr.
package congestion

import "time"

// An instant is a monotonic time since some moment before the first call; zero is no instant.
type instant = time.Duration

// seconds is what Duration.Seconds gives, but for a rounding in its last bit, without dividing.
func seconds(d time.Duration) float64 { return float64(d) * 1e-9 }

const (
	// infinity is what the draft calls so, for volumes: no window reaches it.
	infinity int64 = 1 << 62

	kib = 1 << 10
)
