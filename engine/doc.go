// Package engine is the room of rooms: it has no code of its own, and says which package below it holds what. The engine speaks HTTP/3 on
// quic-go's streams and tells a sink.Sink what happens. It knows nothing of C and nothing of how events reach their consumer.
//
// What stands higher in this table imports what stands lower, and never the other way; tests/run layering holds it.
//
//	client      pool, connecting, fetches; knows nothing of server and route
//	server      listening, accepting, requests and their bodies, routes, negotiation of sessions, limits, the stop
//	session     WebTransport: sessions, their streams, flow control, the order of sending and of closing
//	datagram    datagrams of a connection: raw, of requests, of sessions; queues both ways, ages, counts
//	link        one connection of either role: control streams, GOAWAY, what is open, the sweep over what lasts, its end
//	message     one message on one stream: outbox, inbox, frames both ways, outcomes
//	wire        bytes without a connection: frames, SETTINGS, capsules, field sections and their rules, QPACK, dialects, priorities
//	route       patterns and the table that requests are matched by
//	identity    certificates
//	config      options, their parsing and their bounds
//	congestion  how much a connection may send and how fast: BBR, NewReno
//	udp         the socket
//	heap        how rarely the collector runs
//	sink        the Sink interface, events, codes, chunks, counters, log, guard, clock
//
// enginetest stands beside them: the client and the consumer that the tests of every room use. cmd/h3 stands above them: the command line
// program, which is no part of the library, and which nothing of it imports.
//
// The way of a request: the goroutine of its connection (link.Conn.Take) looks at each stream that the peer opens (server/accept.go). A
// request that is there as a whole is decoded and delivered in place; only one that is late or has a long body gets a goroutine
// (server/late.go, server/body.go). The consumer answers through the methods of server.Request (server/response.go), which never wait: what
// the peer's flow control does not take at once is left to a writer (message/outbox.go). What a request needs only when it lasts, a watch for
// the peer's abort and its timeout, is set up by a sweep (link/sweep.go). A session's request and its streams go the same way
// (server/negotiate.go, session/ask.go, session/stream.go). Each request, session, stream and connection has exactly one last event, and a
// server's SERVER_STOPPED comes after all of them.
//
// Locks are taken in this order: a request's, or a stream's and then its session's; the set's of a connection's sessions; those of
// datagrams; the connection's; the sweeper's. A server's and its listening's are never held with them.
package engine
