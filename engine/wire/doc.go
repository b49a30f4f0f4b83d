// Package wire makes bytes of HTTP/3 and WebTransport, and reads them. It has no connection, no goroutine and no clock, and is the same
// for both roles: where a rule holds for one of them only, the caller says which it is.
//
// What a peer sends is read in place and never kept: a view that a function hands out is good for as long as what it was given. What is
// wrong with it comes as a [ConnectionError] or a [CapsuleError] with the code that the peer is to get.
//
//	settings.go         SETTINGS
//	dialect.go          the drafts of WebTransport, a row each
//	stream_header.go    what a session's streams begin with
//	datagram_header.go  what HTTP datagrams begin with
//	capsule.go          capsules of a session: their types, and how they are written
//	capsule_reader.go   how they are read
//	wt_code.go          codes of sessions and of their streams
//	protocols.go        the fields by which a session's subprotocol is agreed on
//	priority.go         the priority field and PRIORITY_UPDATE
package wire
