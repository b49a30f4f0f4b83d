// Package link is one HTTP/3 connection, of either role, without what it carries: its control streams and QPACK's, SETTINGS and GOAWAY
// both ways, the list of what is open on it, the sweep over what lasts, the budget of what a peer breaks off, accounting, and its end.
//
//	conn.go        a connection from its begin to its last event
//	node.go        what is open on it
//	control.go     our control stream and the peer's
//	unistream.go   the peer's unidirectional streams, by type
//	goaway.go      GOAWAY, sent and received
//	keepalive.go   a frame now and then, while something is open
//	budget.go      what a peer may break off
//	spares.go      goroutines that have done their work, for the next
//	sweep.go       what only a request needs that lasts
//	completion.go  streams that are read to their end together
//	account.go     byte counters
//
// Requests, sessions and datagrams are known here only by the interfaces Carried and Item.
package link
