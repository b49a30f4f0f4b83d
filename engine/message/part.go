package message

import "zigh3/engine/sink"

// A Part is a piece of what is sent: a message's head, bytes, its end, or several of them.
type Part struct {
	Head    bool   // there is a head
	Status  int    // of a response; 0: it is the head of a request
	Headers []byte // packed list
	Length  int64  // content-length to add where Headers have none, -1: none
	Date    bool   // add one where Headers have none

	Body        sink.Chunk
	Trailers    []byte // packed list
	HasTrailers bool
	End         bool

	Counted  bool // the consumer is told when the bytes have left
	Reliable bool // what was sent so far arrives also if the stream is reset
	Atomic   bool // all of it is taken at once, or nothing; the owner is told which
}

// Keep makes the part outlive the call that it came with.
func (p *Part) Keep() {
	p.Headers = append([]byte(nil), p.Headers...)
	p.Trailers = append([]byte(nil), p.Trailers...)
	p.Body.Keep()
}
