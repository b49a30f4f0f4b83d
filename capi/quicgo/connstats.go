//go:build ignore

// In place of quic-go's internal/utils/connstats.go, which it repeats but for one field: see README.md beside this file.

package utils

import (
	"sync/atomic"

	"zigh3/engine/congestion"
)

// ConnectionStats stores stats for the connection. See the public
// ConnectionStats struct in connection.go for more information
type ConnectionStats struct {
	// Control is between this connection's congestion control and everybody else. A migration to another path does not change it.
	Control congestion.Control

	CongestionWindow atomic.Uint64

	BytesSent       atomic.Uint64
	PacketsSent     atomic.Uint64
	BytesReceived   atomic.Uint64
	PacketsReceived atomic.Uint64
	BytesLost       atomic.Uint64
	PacketsLost     atomic.Uint64
}
