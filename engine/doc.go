// Package engine serves HTTP/3 on quic-go's streams and tells a Sink what happens. It knows nothing of C and nothing of how events
// reach their consumer.
//
// The way of a request: one goroutine for each connection accepts its streams (accept.go). A request that is there as a whole is
// decoded and delivered in place; only one that is late or has a long body gets a goroutine (late.go, body.go). The consumer answers
// through the methods of Request (request.go, response.go), which never wait: what the peer's flow control does not take at once is
// left to a goroutine. What a request needs only when it lasts, a watch for the peer's abort and its timeout, is set up by a sweep
// (sweep.go). Each request and each connection has exactly one last event, and a server's SERVER_STOPPED comes after all of them.
//
// Where a server has routes for datagrams or sessions, connections that offer DATAGRAM are of a second kind: http3 reads their
// header blocks and datagrams, webtransport-go knows their sessions (h3_server.go). A request's stream is taken from http3 as
// soon as it has its header block, and then is as on the first kind (h3_request.go, take_stream.go). A session has a few
// goroutines and each of its streams one, since webtransport-go's calls wait (session.go, session_serve.go, session_accept.go,
// session_stream.go); what it does not do with the CONNECT stream is done in between (connect_stream.go). Datagrams that come are
// moved into the sink at once, and those that quic-go and http3 drop without a word are counted through qlog (datagram_flow.go,
// datagram_trace.go).
//
// Locks are taken in this order: a request's, or a stream's and then its session's; the datagram sender's; the connection's; the
// sweeper's. A server's and its listening's are never held with them.
package engine
