package config

import "zigh3/engine/congestion"

// clientOptionKeys are the options of a client with a number for their value.
var clientOptionKeys = [...]optionKey[ClientOptions]{
	{"connect_timeout_ms", "ms", 10, 600_000, 10_000, func(o *ClientOptions, v int64) { o.ConnectTimeout = millis(v) }},
	{"response_timeout_ms", "ms", 0, 86_400_000, 0, func(o *ClientOptions, v int64) { o.ResponseTimeout = millis(v) }},
	{"request_timeout_ms", "ms", 0, 86_400_000, 0, func(o *ClientOptions, v int64) { o.RequestTimeout = millis(v) }},
	{"body_timeout_ms", "ms", 0, 86_400_000, 0, func(o *ClientOptions, v int64) { o.BodyTimeout = millis(v) }},
	{"write_timeout_ms", "ms", 10, 3_600_000, 300_000, func(o *ClientOptions, v int64) { o.WriteTimeout = millis(v) }},
	{"header_timeout_ms", "ms", 10, 3_600_000, 10_000, func(o *ClientOptions, v int64) { o.HeaderTimeout = millis(v) }},
	{"idle_timeout_ms", "ms", 100, 3_600_000, 30_000, func(o *ClientOptions, v int64) { o.IdleTimeout = millis(v) }},
	{"keep_alive_ms", "ms", 0, 3_600_000, 10_000, func(o *ClientOptions, v int64) { o.KeepAlive = millis(v) }},
	{"max_connections", "connections", 1, 1 << 16, 1024, func(o *ClientOptions, v int64) { o.MaxConnections = int(v) }},
	{"max_connections_per_origin", "connections", 1, 1 << 16, 6, func(o *ClientOptions, v int64) { o.MaxConnectionsPerOrigin = int(v) }},
	{"max_queued", "fetches", 1, 1 << 20, 1 << 14, func(o *ClientOptions, v int64) { o.MaxQueued = int(v) }},
	{"queue_timeout_ms", "ms", 10, 86_400_000, 30_000, func(o *ClientOptions, v int64) { o.QueueTimeout = millis(v) }},
	{"idle_connection_ms", "ms", 0, 86_400_000, 20_000, func(o *ClientOptions, v int64) { o.IdleConnection = millis(v) }},
	{"max_header_bytes", "bytes", kib, 64 * kib, 64 * kib, func(o *ClientOptions, v int64) { o.MaxHeaderBytes = int(v) }},
	{"receive_window", "bytes", 4 * kib, 64 * Mib, 512 * kib, func(o *ClientOptions, v int64) { o.ReceiveWindow = int(v) }},
	{"stream_receive_window", "bytes", 64 * kib, gib, 6 * Mib, func(o *ClientOptions, v int64) { o.StreamReceiveWindow = uint64(v) }},
	{"connection_receive_window", "bytes", 64 * kib, gib, 15 * Mib, func(o *ClientOptions, v int64) { o.ConnectionReceiveWindow = uint64(v) }},
	{"high_water_mark", "bytes", kib, gib, Mib, func(o *ClientOptions, v int64) { o.HighWaterMark = int(v) }},
	{"max_queued_request_bytes", "bytes", Mib, tib, 256 * Mib, func(o *ClientOptions, v int64) { o.MaxQueuedRequestBytes = v }},
	{"reset_budget", "streams", 1, 1_000_000, 1024, func(o *ClientOptions, v int64) { o.ResetBudget = int(v) }},
	{"initial_packet_size", "bytes", smallestPacket, largestPacket, smallestPacket, func(o *ClientOptions, v int64) { o.InitialPacketSize = uint16(v) }},
	{"max_packet_size", "bytes", 0, largestPacket, 0, func(o *ClientOptions, v int64) { o.MaxPacketSize = uint16(v) }},
	{"qlog_max_bytes", "bytes", 4 * kib, gib, 64 * Mib, func(o *ClientOptions, v int64) { o.QlogMaxBytes = v }},
	{"qlog_max_connections", "connections", 1, 1_000_000, 1000, func(o *ClientOptions, v int64) { o.QlogMaxConnections = int(v) }},
	{"initial_window", "packets", 2, 1000, congestion.DefaultInitialWindow, func(o *ClientOptions, v int64) { o.InitialWindow = int(v) }},
}
