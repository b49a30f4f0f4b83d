// Package engine serves HTTP/3 on quic-go's streams and tells a Sink what happens. It knows nothing of C and nothing of how events
// reach their consumer.
//
// The way of a request: one goroutine for each connection accepts its streams (accept.go). A request that is there as a whole is
// decoded and delivered in place; only one that is late or has a long body gets a goroutine (late.go, body.go). The consumer answers
// through the methods of Request (request.go, response.go), which never wait: what the peer's flow control does not take at once is
// left to a goroutine. What a request needs only when it lasts, a watch for the peer's abort and its timeout, is set up by a sweep
// (sweep.go). Each request and each connection has exactly one last event, and a server's SERVER_STOPPED comes after all of them.
//
// Locks are taken in this order: a request's, its connection's, the sweeper's. A server's and its listening's are never held with
// them.
package engine
