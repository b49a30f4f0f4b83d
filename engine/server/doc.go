// Package server is the HTTP/3 server: it listens, accepts connections, reads requests and their bodies, finds their routes, decides what
// becomes a session, and stops. A connection is a link.Conn with requests, a session.Set and datagram.Flows on it, whatever its peer has
// announced.
//
//	server.go             a Server: routes, start, stop, and what all its connections have in common
//	listening.go          what there is between a start and the end of a stop: the socket, the connections, the order in which all ends
//	handshake.go          handshakes: counting, Retry, refusal
//	connection_limits.go  how many connections there may be, in all and by origin
//	conn.go               a connection of a server's
//	accept.go             a stream that the peer has opened: which it is, and a request that is there as a whole
//	late.go               a request that is not: a goroutine of its own
//	negotiate.go          a session's request: route, origin, subprotocols; and streams of sessions
//	request.go            a request from its event to its end
//	response.go           what the consumer answers with
//	body.go               a request's body that was not there at once
//	byte_budget.go        bytes of all buffered bodies together
//	priorities.go         RFC 9218: a request's priority, and updates that come before it
//
// A connection has a goroutine that takes its streams, and one that takes its unidirectional ones. A request has none, no timer and no watch
// on its stream, unless it is late, has a body that was not there with it, waits for its peer, or has lasted for two looks of the sweep.
//
// What a Server, a Request and a connection offer never waits, but for Server.Start. Locks: see package engine.
package server
