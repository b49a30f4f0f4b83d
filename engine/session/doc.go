// Package session is WebTransport over HTTP/3 on the engine's own streams, for both roles: sessions, their streams, their flow control, the
// order in which streams send, and the order in which everything ends. What drafts differ in it asks of wire.Dialect.
//
//	set.go          the sessions of a connection
//	early.go        streams that come before their session
//	ask.go          a session that a peer asks for, until the decision
//	connect.go      a session that we ask for, until the answer
//	session.go      a session from the decision on: what its consumer may call
//	capsules.go     what comes and goes on the CONNECT stream
//	end.go          how a session ends, and what lingers
//	flow.go         flow control of a session
//	opening.go      our own streams, and the limits that they wait for
//	stream.go       a stream of a session from its begin to its end
//	stream_read.go  what comes on it
//	stream_write.go what is sent on it
//	stop_order.go   STOP_SENDING goes before RESET_STREAM
//	answer_order.go the answer goes before the first datagrams
//	order.go        sendOrder and groups
//	refresh.go      the counters of a session
//	export.go       keying material
//
// A session has one goroutine, which reads its CONNECT stream. A stream has one as long as it waits for bytes that are not there, and one
// as long as what it sends has to wait for the peer. Locks are taken in this order: a stream's, its session's, the set's, and those of the
// packages below.
package session
