package config

import (
	"time"

	"zigh3/engine/congestion"
)

const (
	kib = 1 << 10
	// Mib is a mebibyte.
	Mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// An optionKey is an option with a number for its value. What is no number (certificates, the go object, date) is parsed by name.
type optionKey[T any] struct {
	name     string
	unit     string
	min, max int64
	initial  int64
	set      func(o *T, v int64)
}

// setDefaults gives every option of a table its default.
func setDefaults[T any](o *T, keys []optionKey[T]) {
	for i := range keys {
		keys[i].set(o, keys[i].initial)
	}
}

func millis(v int64) time.Duration { return time.Duration(v) * time.Millisecond }

// optionKeys are the options of a server; docs/options.md is held against this table by a test.
var optionKeys = [...]optionKey[Options]{
	{"max_request_body_size", "bytes", 0, 1 << 53, 128 * Mib, func(o *Options, v int64) { o.MaxRequestBodySize = v }},
	{"max_header_bytes", "bytes", kib, 64 * kib, 64 * kib, func(o *Options, v int64) { o.MaxHeaderBytes = int(v) }},
	{"max_incoming_streams", "streams", 1, 10_000, 256, func(o *Options, v int64) { o.MaxIncomingStreams = int(v) }},
	{"max_connections", "connections", 1, 1 << 20, 1 << 16, func(o *Options, v int64) { o.MaxConnections = int(v) }},
	{"max_connections_per_address", "connections", 1, 1 << 20, 1 << 14, func(o *Options, v int64) { o.MaxConnectionsPerAddress = int(v) }},
	{"keep_alive_ms", "ms", 0, 3_600_000, 10_000, func(o *Options, v int64) { o.KeepAlive = millis(v) }},
	{"idle_timeout_ms", "ms", 100, 3_600_000, 30_000, func(o *Options, v int64) { o.IdleTimeout = millis(v) }},
	{"handshake_timeout_ms", "ms", 100, 600_000, 10_000, func(o *Options, v int64) { o.HandshakeTimeout = millis(v) }},
	{"header_timeout_ms", "ms", 10, 3_600_000, 10_000, func(o *Options, v int64) { o.HeaderTimeout = millis(v) }},
	{"body_timeout_ms", "ms", 10, 3_600_000, 30_000, func(o *Options, v int64) { o.BodyTimeout = millis(v) }},
	{"request_timeout_ms", "ms", 0, 86_400_000, 0, func(o *Options, v int64) { o.RequestTimeout = millis(v) }},
	{"write_timeout_ms", "ms", 10, 3_600_000, 300_000, func(o *Options, v int64) { o.WriteTimeout = millis(v) }},
	{"receive_window", "bytes", 4 * kib, 64 * Mib, 512 * kib, func(o *Options, v int64) { o.ReceiveWindow = int(v) }},
	{"stream_receive_window", "bytes", 64 * kib, gib, 6 * Mib, func(o *Options, v int64) { o.StreamReceiveWindow = uint64(v) }},
	{"connection_receive_window", "bytes", 64 * kib, gib, 15 * Mib, func(o *Options, v int64) { o.ConnectionReceiveWindow = uint64(v) }},
	{"reset_budget", "streams", 1, 1_000_000, 1024, func(o *Options, v int64) { o.ResetBudget = int(v) }},
	{"max_unverified_handshakes", "handshakes", 0, 1_000_000, 256, func(o *Options, v int64) { o.MaxUnverifiedHandshakes = int(v) }},
	{"initial_packet_size", "bytes", smallestPacket, largestPacket, smallestPacket, func(o *Options, v int64) { o.InitialPacketSize = uint16(v) }},
	{"max_packet_size", "bytes", 0, largestPacket, 0, func(o *Options, v int64) { o.MaxPacketSize = uint16(v) }},
	{"initial_window", "packets", 2, 1000, congestion.DefaultInitialWindow, func(o *Options, v int64) { o.InitialWindow = int(v) }},
	{"max_buffered_body_bytes", "bytes", Mib, tib, 256 * Mib, func(o *Options, v int64) { o.MaxBufferedBodyBytes = v }},
	{"high_water_mark", "bytes", kib, gib, Mib, func(o *Options, v int64) { o.HighWaterMark = int(v) }},
	{"max_queued_response_bytes", "bytes", Mib, tib, 256 * Mib, func(o *Options, v int64) { o.MaxQueuedResponseBytes = v }},
}

// datagramOptionKeys are the options inside the object "datagrams", a server's or a client's.
var datagramOptionKeys = [...]optionKey[DatagramOptions]{
	{"incoming", "datagrams", 1, 65_535, 256, func(o *DatagramOptions, v int64) { o.Incoming = int(v) }},
	{"outgoing", "datagrams", 1, 65_535, 256, func(o *DatagramOptions, v int64) { o.Outgoing = int(v) }},
}

// webTransportOptionKeys are the options with numbers inside the object "webtransport", a server's or a client's.
var webTransportOptionKeys = [...]optionKey[WebTransportOptions]{
	{"max_streams_bidi", "streams", 1, 10_000, 100, func(o *WebTransportOptions, v int64) { o.MaxStreamsBidi = int(v) }},
	{"max_streams_uni", "streams", 1, 10_000, 100, func(o *WebTransportOptions, v int64) { o.MaxStreamsUni = int(v) }},
	{"max_data", "bytes", 64 * kib, gib, 16 * Mib, func(o *WebTransportOptions, v int64) { o.MaxData = v }},
	{"max_early_streams", "streams", 0, 10_000, 16, func(o *WebTransportOptions, v int64) { o.MaxEarlyStreams = int(v) }},
	{"capsule_timeout_ms", "ms", 10, 3_600_000, 10_000, func(o *WebTransportOptions, v int64) { o.CapsuleTimeout = millis(v) }},
	{"capsule_budget", "capsules", 1, 1_000_000, 1024, func(o *WebTransportOptions, v int64) { o.CapsuleBudget = int(v) }},
	{"decision_timeout_ms", "ms", 10, 3_600_000, 10_000, func(o *WebTransportOptions, v int64) { o.DecisionTimeout = millis(v) }},
}

// goOptionKeys are the options inside the object "go".
var goOptionKeys = [...]optionKey[GoOptions]{
	{"max_procs", "processors", 0, 1024, 0, func(o *GoOptions, v int64) { o.MaxProcs = int(v) }},
	{"gc_percent", "percent", 0, 100_000, 0, func(o *GoOptions, v int64) { o.GCPercent = int(v) }},
	{"memory_limit", "bytes", 0, 1 << 53, 0, func(o *GoOptions, v int64) { o.MemoryLimit = v }},
}
