// Package client is the HTTP/3 client: it connects, keeps connections, sends requests and reads their responses. A connection is a link.Conn
// with tries and datagram.Flows on it.
//
//	client.go    a Client: what all its connections have in common, and its end
//	request.go   what a fetch asks for, checked
//	fetch.go     a fetch from the call to its last event
//	priority.go  the priority of one that is under way
//	try.go       one try of a fetch, on one stream
//	reading.go   responses that are there as a whole, read without a goroutine each
//	response.go  what else comes on it
//	connect.go   the wish for a connection without a fetch
//	session.go   a session from the call until it is asked for
//	accept.go    streams that a server opens
//	pool.go      connections by origin
//	pool_waiting.go     the fetches that wait for them
//	pool_connecting.go  how they come to be and make room
//	pool_resting.go     those that nobody uses
//	conn.go      a connection of a client's
//	dial.go      names, addresses, and which of them answers
//	early.go     early data (0-RTT)
//	turned_away.go  connections that a server does not take, and what becomes of what was sent on them
//	moving.go    connections that go on from another address of this machine
//	tls.go       whom a client believes
//	qlog.go      what QUIC does on a connection, in a file
//	key_log.go   the secrets of connections, in a file
//
// Fetch sends at once where a connection has a stream, and lets the fetch wait in the pool otherwise. A response that is
// there as a whole is read by the one goroutine that its connection has for these, any other by one of its own, a spare of the connection's. A fetch that is over within two looks of the sweep has no timer and no watch on its stream.
//
// Locks are taken in this order: a fetch's, that of its connection's readings, its connection's; the pool's, then a connection's. A fetch's and
// the pool's are never held together.
package client
