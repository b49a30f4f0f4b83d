//go:build ignore

// A file more in quic-go's package quic: see README.md beside this file.

package quic

import "zigh3/engine/congestion"

// CongestionControl is where this connection's congestion control takes wishes and tells what it does, from any goroutine.
func (c *Conn) CongestionControl() *congestion.Control { return &c.connStats.Control }
