// Package message is what goes over one stream, whichever role we have: the bytes of a request, a response or a stream of a session.
//
//	outbox.go           what is sent: at once where QUIC takes it, else in order by a writer
//	inbox.go            what comes: read as far as the consumer has given credit
//	part.go             a piece of what is sent
//	framed.go           a stream that carries a message of HTTP/3, in frames
//	frame_encoder.go    parts made into frames
//	frame_reader.go     frames taken apart, and their rules
//	response_reader.go  the heads of a response
//	outcome.go          how something ended
//
// An outbox and an inbox belong to an owner and are guarded by its lock; the owner says what becomes of what happens in them.
package message
