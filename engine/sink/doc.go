// Package sink is what the engine tells its consumer through, and what every room shares. The engine knows no queue: it reserves room for an
// event, fills it in place and commits it, and whoever made the Sink brings it to the consumer.
//
//	sink.go           the Sink interface, handles, events, records and their classes
//	chunk.go          bytes of a response on their way in
//	code.go           codes of failures
//	stats.go          counters of a server
//	client_stats.go   counters of a client
//	session_stats.go  counters of a session
//	log.go            messages
//	guard.go          what keeps a panic from reaching the host
//	clock.go          the monotonic clock, as the consumer reads it
package sink
