package sink

import "sync/atomic"

// ClientStats are a client's counters. Its connections count where those of a server do, so the first StatCount of them are Stats; their
// names are a client's own.
type ClientStats [ClientStatCount]atomic.Uint64

// Indices of ClientStats behind those of Stats. ClientStatNames names all.
const (
	ClientStatFetchesQueued       = StatCount + iota // that wait for a connection or a stream now
	ClientStatFetchesRetried                         // sent once more: the server had not processed them
	ClientStatFetchesFailed                          // that ended with an error
	ClientStatFetchesReused                          // that found their connection there
	ClientStatConnectionsEvicted                     // closed because nothing was open on them for idle_connection_ms
	ClientStatConnectionsReplaced                    // that ended from outside while they were in the pool

	ClientStatCount // how many there are
)

// ClientStatNames are the public names of a client's counters, by index. What has none is a server's alone.
var ClientStatNames = [ClientStatCount]string{
	StatUptimeMs:          "uptime_ms",
	StatRequestsTotal:     "fetches_total",
	StatRequestsActive:    "fetches_active",
	StatRequestsRejected:  "fetches_rejected",
	StatRequestsReset:     "fetches_reset",
	StatRequestsInvalid:   "responses_invalid",
	StatTimeouts:          "timeouts",
	StatConnectionsTotal:  "connections_total",
	StatConnectionsActive: "connections_active",
	StatConnectionErrors:  "connection_errors",
	StatHandshakesFailed:  "connects_failed",
	StatHandshakesPending: "connects_pending",
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
	StatPacketsLost:              "packets_lost",

	ClientStatFetchesQueued:       "fetches_queued",
	ClientStatFetchesRetried:      "fetches_retried",
	ClientStatFetchesFailed:       "fetches_failed",
	ClientStatFetchesReused:       "fetches_on_pooled_connection",
	ClientStatConnectionsEvicted:  "connections_evicted",
	ClientStatConnectionsReplaced: "connections_lost",
}

// Shared are the counters that a client's connections count in.
func (s *ClientStats) Shared() *Stats { return (*Stats)(s[:StatCount]) }

// Add adds n to a counter.
func (s *ClientStats) Add(i int, n uint64) { s[i].Add(n) }

// Sub takes 1 off a counter of what there is now.
func (s *ClientStats) Sub(i int) { s[i].Add(^uint64(0)) }
