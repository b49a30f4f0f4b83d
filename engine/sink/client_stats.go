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
	ClientStatFetchesEarly                           // sent as early data (0-RTT)
	ClientStatFetchesEarlyRefused                    // of these: the server did not take it so, and they were sent once more
	ClientStatConnectionsMoved                       // that went on from another local address

	ClientStatCount // how many there are
)

// ClientStatNames are the public names of a client's counters, by index. What has none is a server's alone. From StatCongestion to StatCount they
// are known only where congestion.Installed().
var ClientStatNames = clientStatNames()

func clientStatNames() (names [ClientStatCount]string) {
	copy(names[:], StatNames[:])
	for i, name := range map[int]string{
		StatRequestsTotal:     "fetches_total",
		StatRequestsActive:    "fetches_active",
		StatRequestsRejected:  "fetches_rejected",
		StatRequestsReset:     "fetches_reset",
		StatRequestsInvalid:   "responses_invalid",
		StatHandshakesFailed:  "connects_failed",
		StatHandshakesPending: "connects_pending",

		StatRequestsAnswered:   "",
		StatRetriesSent:        "",
		StatConnectionsRefused: "",

		ClientStatFetchesQueued:       "fetches_queued",
		ClientStatFetchesRetried:      "fetches_retried",
		ClientStatFetchesFailed:       "fetches_failed",
		ClientStatFetchesReused:       "fetches_on_pooled_connection",
		ClientStatConnectionsEvicted:  "connections_evicted",
		ClientStatConnectionsReplaced: "connections_lost",
		ClientStatFetchesEarly:        "fetches_early",
		ClientStatFetchesEarlyRefused: "fetches_early_refused",
		ClientStatConnectionsMoved:    "connections_moved",
	} {
		names[i] = name
	}
	return names
}

// Shared are the counters that a client's connections count in.
func (s *ClientStats) Shared() *Stats { return (*Stats)(s[:StatCount]) }

// Add adds n to a counter.
func (s *ClientStats) Add(i int, n uint64) { s[i].Add(n) }

// Sub takes 1 off a counter of what there is now.
func (s *ClientStats) Sub(i int) { s[i].Add(^uint64(0)) }
