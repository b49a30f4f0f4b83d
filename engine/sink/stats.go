package sink

import "sync/atomic"

// Stats are a server's counters. The caller of NewServer gives the memory, so that a consumer reads them without asking the engine.
type Stats [StatCount]atomic.Uint64

// Indices of Stats. StatNames names them.
const (
	StatUptimeMs = iota // filled by whoever reads them
	StatRequestsTotal
	StatRequestsActive
	StatRequestsRejected // turned away with H3_REQUEST_REJECTED
	StatRequestsReset    // given up by the peer, delivered or not
	StatRequestsInvalid  // malformed
	StatRequestsAnswered // answered by the engine itself: 404, 405, 413 and the like
	StatTimeouts
	StatConnectionsTotal
	StatConnectionsActive
	StatConnectionErrors // closed because the peer broke the protocol
	StatHandshakesFailed
	StatHandshakesPending
	StatRetriesSent // demands to verify an address
	StatBodyBytesIn
	StatBodyBytesOut
	StatBytesIn // these four: UDP payload, brought up to date while requests come and go, and when a connection ends
	StatBytesOut
	StatPacketsIn
	StatPacketsOut
	StatSessionsTotal  // WebTransport sessions that were asked for
	StatSessionsActive // that were accepted
	StatSessionsRejected
	StatStreamsTotal // streams of sessions
	StatStreamsActive
	StatDatagramsIn              // that came, of every kind
	StatDatagramsDelivered       // of these: given to the consumer
	StatDatagramsDroppedRing     // of these: the consumer's queue had no room
	StatDatagramsDroppedEarly    // of these: before their session was accepted or their request delivered, and too many
	StatDatagramsDroppedUnknown  // of these: no request or session, or one that takes none
	StatDatagramsDroppedInternal // of these: they came faster than quic-go's own queue was emptied
	StatDatagramsOut             // handed to QUIC
	StatDatagramsExpired         // not sent: older than their age
	StatDatagramsTooLarge        // not sent: larger than the limit, or the path had become too narrow
	StatDatagramsUnsent          // not sent: the connection, session or request ended
	StatResponsesCut             // begun, and ended before their end: by either side, a time limit, the connection's end
	StatPacketsDropped           // came faster than quic-go could look into them; what was in them is lost, and no other counter has it
	StatConnectionsRefused       // at their handshake: there were as many as there may be, in all or of one origin
	StatPacketsLost              // of those sent, taken for lost: what was in them is sent again, but for datagrams. As old as StatPacketsOut

	// From here on they are known only where congestion.Installed().
	StatPacketsSpurious       // of those taken for lost: they had come
	StatConnectionsBBR        // of those active
	StatConnectionsReno       // the others
	StatConnectionsStarting   // of those active: look for the first time for what their path carries
	StatConnectionsAtCapacity // of those active: their path limits them, not what there is to send
	StatSendRate              // bytes a second that the paths of all of them are thought to carry

	StatCount // how many there are
)

// StatCongestion is the first of the counters that only this project's congestion control knows. Others go before it.
const StatCongestion = StatPacketsSpurious

// StatNames are the public names of the counters, by index.
var StatNames = [StatCount]string{
	StatUptimeMs:          "uptime_ms",
	StatRequestsTotal:     "requests_total",
	StatRequestsActive:    "requests_active",
	StatRequestsRejected:  "requests_rejected",
	StatRequestsReset:     "requests_reset",
	StatRequestsInvalid:   "requests_invalid",
	StatRequestsAnswered:  "requests_answered_by_engine",
	StatTimeouts:          "timeouts",
	StatConnectionsTotal:  "connections_total",
	StatConnectionsActive: "connections_active",
	StatConnectionErrors:  "connection_errors",
	StatHandshakesFailed:  "handshakes_failed",
	StatHandshakesPending: "handshakes_pending",
	StatRetriesSent:       "retries_sent",
	StatBodyBytesIn:       "body_bytes_in",
	StatBodyBytesOut:      "body_bytes_out",
	StatBytesIn:           "bytes_in",
	StatBytesOut:          "bytes_out",
	StatPacketsIn:         "packets_in",
	StatPacketsOut:        "packets_out",

	StatSessionsTotal:            "sessions_total",
	StatSessionsActive:           "sessions_active",
	StatSessionsRejected:         "sessions_rejected",
	StatStreamsTotal:             "session_streams_total",
	StatStreamsActive:            "session_streams_active",
	StatDatagramsIn:              "datagrams_in",
	StatDatagramsDelivered:       "datagrams_delivered",
	StatDatagramsDroppedRing:     "datagrams_dropped_queue_full",
	StatDatagramsDroppedEarly:    "datagrams_dropped_early",
	StatDatagramsDroppedUnknown:  "datagrams_dropped_unknown",
	StatDatagramsDroppedInternal: "datagrams_dropped_internal",
	StatDatagramsOut:             "datagrams_out",
	StatDatagramsExpired:         "datagrams_dropped_expired",
	StatDatagramsTooLarge:        "datagrams_dropped_too_large",
	StatDatagramsUnsent:          "datagrams_dropped_unsent",
	StatResponsesCut:             "responses_cut",
	StatPacketsDropped:           "packets_dropped",
	StatConnectionsRefused:       "connections_refused",
	StatPacketsLost:              "packets_lost",
	StatPacketsSpurious:          "packets_spurious",
	StatConnectionsBBR:           "connections_bbr",
	StatConnectionsReno:          "connections_reno",
	StatConnectionsStarting:      "connections_starting",
	StatConnectionsAtCapacity:    "connections_at_capacity",
	StatSendRate:                 "send_rate",
}

// Add adds n to a counter.
func (s *Stats) Add(i int, n uint64) { s[i].Add(n) }

// Sub takes 1 off a counter of what there is now.
func (s *Stats) Sub(i int) { s[i].Add(^uint64(0)) }

// Change counts in what there is now what was so, or not, and is so now, or not.
func (s *Stats) Change(i int, was, is bool) {
	switch {
	case is && !was:
		s.Add(i, 1)
	case was && !is:
		s.Sub(i)
	}
}
