// Package wire makes bytes of HTTP/3 and WebTransport, and reads them. It has no connection, no goroutine and no clock, and is the same
// for both roles: where a rule holds for one of them only, the caller says which it is.
//
// What a peer sends is read in place and never kept: a view that a function hands out is good for as long as what it was given. What is
// wrong with it comes as a [ConnectionError] or a [CapsuleError] with the code that the peer is to get.
//
//	frames.go           frames of HTTP/3: numbers, heads, a scanner
//	errors.go           what a peer's mistake costs it
//	settings.go         SETTINGS
//	fields.go           field sections: decoded by QPACK into a packed list
//	request_head.go     what is special in that of a request
//	response_head.go    what is special in that of a response
//	field_rules.go      what field names and values may be
//	field_error.go      what is wrong with a field section
//	field_encoder.go    field sections that are sent, and the date of a response
//	packed.go           packed lists, as events and replies carry them
//	qpack_streams.go    the peer's QPACK streams, which have nothing to say
//	dialect.go          the drafts of WebTransport, a row each
//	stream_header.go    what a session's streams begin with
//	datagram_header.go  what HTTP datagrams begin with
//	capsule.go          capsules of a session: their types, and how they are written
//	capsule_reader.go   how they are read
//	wt_code.go          codes of sessions and of their streams
//	protocols.go        the fields by which a session's subprotocol is agreed on
//	priority.go         the priority field and PRIORITY_UPDATE
package wire
