// Package congestion decides how much a connection may send and how fast: BBR, version 3, as draft-ietf-ccwg-bbr-06 specifies it, and
// NewReno (RFC 9002), behind one interface, with a delivery-rate estimator and a pacer of their own. It knows no QUIC implementation:
// whoever has packets tells a Sender what was sent, acknowledged and lost, and asks it whether more may go. capi/quicgo brings it into
// quic-go.
//
// Sections in comments are those of draft-ietf-ccwg-bbr-06, unless an RFC is named. C. (connection), P. (packet), RS. (rate sample)
// and BBR. are the draft's prefixes; here they are the types connection, packet, rateSample and bbr.
package congestion

import "time"

// An instant is a monotonic time since some moment before the first call; zero is no instant.
type instant = time.Duration

const (
	// infinity is what the draft calls so, for volumes: no window reaches it.
	infinity int64 = 1 << 62

	kib = 1 << 10
)
