package server

import (
	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// Send answers with a complete response. headers is a packed list, checked and lower-case, valid during the call; forget says that
// no terminal event is wanted.
func (r *Request) Send(status int, headers []byte, body sink.Chunk, forget bool) {
	r.send(status, headers, body, int64(len(body.Bytes)), forget)
}

// SendHead answers a HEAD, whose body is not sent, with the headers of a response of length bytes.
func (r *Request) SendHead(status int, headers []byte, length int64, forget bool) {
	r.send(status, headers, sink.Chunk{}, length, forget)
}

func (r *Request) send(status int, headers []byte, body sink.Chunk, length int64, forget bool) {
	r.mu.Lock()
	if forget {
		r.forgot = true
		r.unwanted()
	}
	if r.ended || r.begun {
		body.Release()
		r.Unlock()
		return
	}
	p := &r.part
	*p = message.Part{Head: true, Status: status, Headers: headers, Length: length, Date: r.c.s.options.Date, Body: body, End: true}
	if bodyless(status) {
		p.Length = -1
	}
	if r.isHead && length == 0 {
		p.Length = -1 // the length that GET would have is not known
	}
	r.begin(status)
	r.respond(p)
	r.Unlock()
}

// Start sends status and headers of a response that is given in parts.
func (r *Request) Start(status int, headers []byte) {
	r.mu.Lock()
	if !r.ended && !r.begun {
		r.begin(status)
		r.respond(&message.Part{Head: true, Status: status, Headers: headers, Length: -1, Date: r.c.s.options.Date})
	}
	r.Unlock()
}

// Write sends a part of the body. The sink is told with Drained once it has left.
func (r *Request) Write(body sink.Chunk) { r.respondInPart(&message.Part{Body: body, Counted: true}) }

// End ends the response, with a last part of the body if body is not empty.
func (r *Request) End(body sink.Chunk) { r.respondInPart(&message.Part{Body: body, End: true}) }

// Trailers ends the response with trailers, a packed list that is valid during the call.
func (r *Request) Trailers(trailers []byte) {
	r.respondInPart(&message.Part{Trailers: trailers, HasTrailers: true, End: true})
}

// bodyless reports whether a response with this status never has a body (RFC 9110, 6.4.1).
func bodyless(status int) bool { return status == 204 || status == 304 }

func (r *Request) begin(status int) {
	r.begun, r.status = true, uint32(status)
	if r.timer != nil {
		r.timer.Stop()
	}
}

func (r *Request) respondInPart(p *message.Part) {
	r.mu.Lock()
	if r.ended || !r.begun || r.closing {
		p.Body.Release()
	} else {
		r.respond(p)
	}
	r.Unlock()
}

// respond sends a part, less what its response cannot have. r.mu is held.
func (r *Request) respond(p *message.Part) {
	if r.isHead || bodyless(int(r.status)) {
		n := len(p.Body.Bytes)
		p.Body.Release()
		p.Trailers, p.HasTrailers = nil, false
		if p.Counted && n > 0 {
			r.c.Sink.Drained(r.handle, n)
		}
		if !p.Head && !p.End {
			return
		}
	}
	r.closing = p.End
	if p.End && r.bodyDone {
		r.share.give() // what the request's body was is answered, however long that takes to leave
	}
	r.out.Put(p)
}
