// Package enginetest is what the engine's tests hold the engine against, on both sides of it, and is part of no product.
//
// One side is a client: HTTP/3 and WebTransport on quic-go's streams, with every byte in the test's hand. It knows nothing of the engine
// and takes no part of another implementation's HTTP or sessions (http3 gives the names of codes alone). The other is a consumer: a sink
// in memory, which knows package sink alone and holds every event against the contract.
//
// What a well-behaved client does it does by itself: SETTINGS, frames, credit, capsules, codes. What the other side must not do to such a
// client fails the test. Everything else, and every breach of the rules, a test asks for by hand.
//
// Each wait for the other side is bounded by Patience, and says what did not come.
//
//	wire.go            frames, variable-length integers, field sections, numbers of the RFCs
//	capsule.go         capsules and their numbers
//	code.go            codes of streams in sessions; errors of streams and sessions
//	dialect.go         what the drafts of WebTransport announce and ask with
//	options.go         what a client offers, withholds and leaves undone
//	client.go          a connection: dialling, the streams beside requests, its end
//	control.go         both control streams: SETTINGS, GOAWAY, PRIORITY_UPDATE
//	request.go         a request's stream, frame by frame
//	response.go        a whole request and its response
//	roundtrip.go       the same as net/http has it
//	text.go            outcomes in words that tables compare
//	datagrams.go       datagrams of requests and sessions, and raw ones
//	session.go         a session and its CONNECT stream
//	session_credit.go  a session's flow control, both ways
//	session_stream.go  a session's streams
//	wait.go            bounded waits
//	pair.go            both ends of a connection of QUIC's
//	consumer.go        a sink with one goroutine that handles its events
//	contract.go        what events promise
//	contract_fetch.go  what those of a client's fetches promise
package enginetest
