package engine

import (
	"errors"
	"os"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

const (
	// inlineWrite is the largest piece of a body that is written without a goroutine: TryWriteAll copies it.
	inlineWrite = 16 << 10
	// inlineTotal is how much of one response is written so. Beyond it a goroutine waits for QUIC, which is what holds a fast
	// consumer back from a slow peer: TryWriteAll takes as much as the peer's window, whatever the network does.
	inlineTotal = 64 << 10
	// joinedPiece is the largest that small pieces become which wait for the writer.
	joinedPiece = 64 << 10
)

// Send answers with a complete response. headers is a packed list, checked and lower-case, valid during the call; forget says that
// no terminal event is wanted.
func (r *Request) Send(status int, headers []byte, body sink.Chunk, forget bool) {
	r.mu.Lock()
	r.forgot = r.forgot || forget
	if r.ended || r.begun {
		body.Release()
		r.unlock()
		return
	}
	p := &r.out
	*p = part{head: true, status: status, headers: headers, length: int64(len(body.Bytes)), date: r.c.s.options.Date, body: body, end: true}
	if bodyless(status) {
		p.length = -1
	}
	if r.isHead && len(body.Bytes) == 0 {
		p.length = -1 // the length that GET would have is not known
	}
	r.begin(status)
	r.respond(p)
	r.unlock()
}

// Start sends status and headers of a response that is given in parts.
func (r *Request) Start(status int, headers []byte) {
	r.mu.Lock()
	if !r.ended && !r.begun {
		r.begin(status)
		r.respond(&part{head: true, status: status, headers: headers, length: -1, date: r.c.s.options.Date})
	}
	r.unlock()
}

// Write sends a part of the body. The sink is told with Drained once it has left.
func (r *Request) Write(body sink.Chunk) {
	r.mu.Lock()
	r.respondInPart(&part{body: body, counted: true})
	r.unlock()
}

// End ends the response, with a last part of the body if body is not empty.
func (r *Request) End(body sink.Chunk) {
	r.mu.Lock()
	r.respondInPart(&part{body: body, end: true})
	r.unlock()
}

// Trailers ends the response with trailers, a packed list that is valid during the call.
func (r *Request) Trailers(trailers []byte) {
	r.mu.Lock()
	r.respondInPart(&part{trailers: trailers, hasTrailers: true, end: true})
	r.unlock()
}

// bodyless reports whether a response with this status never has a body (RFC 9110, 6.4.1).
func bodyless(status int) bool { return status == 204 || status == 304 }

func (r *Request) begin(status int) {
	r.begun, r.status = true, uint32(status)
	if r.timer != nil {
		r.timer.Stop()
	}
}

func (r *Request) respondInPart(p *part) {
	if r.ended || !r.begun || r.closing {
		p.body.Release()
		return
	}
	r.respond(p)
}

// respond writes a part at once, or leaves it to the writer. r.mu is held.
func (r *Request) respond(p *part) {
	if r.isHead || bodyless(int(r.status)) {
		n := len(p.body.Bytes)
		p.body.Release()
		p.trailers, p.hasTrailers = nil, false
		if p.counted && n > 0 {
			r.c.sink.Drained(r.handle, n)
		}
		if !p.head && !p.end {
			return
		}
	}
	r.closing = p.end
	n := len(p.body.Bytes)
	if !r.writing && n <= inlineWrite && r.inline+n <= inlineTotal {
		err := r.x.tryWrite(p)
		if err == nil {
			r.inline += n
			p.body.Release()
			r.left(p.counted, n)
			if p.end {
				r.conclude(outcome{})
			}
			return
		}
		if !errors.Is(err, quic.ErrWouldBlock) {
			p.body.Release()
			r.broken(err)
			return
		}
	}
	r.enqueue(p)
	if !r.writing {
		r.writing = true
		r.running++
		r.c.share(r)
		go sink.Guard("response", r.write)
	}
}

// enqueue keeps a part for the writer. Small pieces of a body become one, so that what waits costs no more than its bytes.
func (r *Request) enqueue(p *part) {
	if n := len(r.queue); n > 0 && !p.head && !p.hasTrailers && p.body.Owner == nil {
		last := &r.queue[n-1]
		alike := last.counted == p.counted || len(p.body.Bytes) == 0 || len(last.body.Bytes) == 0
		if alike && last.body.Owner == nil && len(last.body.Bytes)+len(p.body.Bytes) <= joinedPiece {
			if len(p.body.Bytes) > 0 {
				last.counted = p.counted
				last.body.Bytes = append(last.body.Bytes, p.body.Bytes...)
			}
			last.end = p.end
			return
		}
	}
	p.keep()
	r.queue = append(r.queue, *p)
}

func (r *Request) left(counted bool, n int) {
	if n == 0 {
		return
	}
	r.c.stats.Add(sink.StatBodyBytesOut, uint64(n))
	if counted {
		r.c.sink.Drained(r.handle, n)
	}
}

// write is the writer: it runs as long as there are parts that have to wait for the peer.
func (r *Request) write() {
	r.mu.Lock()
	for !r.ended && len(r.queue) > 0 {
		p := r.queue[0]
		n := copy(r.queue, r.queue[1:])
		r.queue[n] = part{}
		r.queue = r.queue[:n]
		r.mu.Unlock()
		err := r.x.write(&p, r.c.s.options.WriteTimeout, func(n int) {
			r.c.account() // the sweeper looks only after connections on which requests come and go
			r.left(p.counted, n)
		})
		p.body.Release()
		r.mu.Lock()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.fail(outcome{code: sink.ErrTimeout, flags: sink.FlagAborted}, http3.ErrCodeRequestCanceled)
		} else if err != nil {
			r.broken(err)
		} else if p.end {
			r.conclude(outcome{})
		}
	}
	r.writing = false
	r.running--
	r.unlock()
}
