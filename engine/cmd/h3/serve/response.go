package serve

import (
	"io"
	"strconv"
	"time"

	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/server"
	"zigh3/engine/sink"
)

const (
	// pieceBytes is how much of a file is read at a time, pieces how much of it may be on its way.
	pieceBytes = 64 << 10
	pieces     = 2
)

// internalError is what a peer gets to hear of a file that cannot be read to its end (RFC 9114, 8.1).
const internalError = 0x102

// A response is one on its way. Its goroutine reads the file, the loop writes.
type response struct {
	f      *folder
	handle sink.Handle
	fields peer.Fields // the request's
	remote string
	began  time.Time
	quit   chan struct{} // closed once the request has ended

	written int64 // of the loop
}

// run answers.
func (r *response) run() {
	a := r.f.decide(r.fields)
	if a.file == nil {
		r.do(func(q *server.Request) { r.send(a, q) })
		return
	}
	defer a.file.Close()
	if r.fields.Get(":method") == "HEAD" {
		r.do(func(q *server.Request) { r.send(a, q) })
		return
	}
	part := io.NewSectionReader(a.file, a.from, a.length)
	if a.length <= pieceBytes {
		text := make([]byte, a.length)
		if _, err := io.ReadFull(part, text); err != nil {
			r.do(func(q *server.Request) { r.send(plain(500), q) })
			return
		}
		a.text = text
		r.do(func(q *server.Request) { r.send(a, q) })
		return
	}
	r.stream(a, part)
}

// do has fn done by the loop, with the request, unless that has ended.
func (r *response) do(fn func(q *server.Request)) {
	r.f.queue.Do(func() {
		if q, ok := r.f.queue.Object(r.handle).(*server.Request); ok && r.f.responses[r.handle] == r {
			fn(q)
		}
	})
}

// send answers at once. q nil: the request's, which the loop looks up.
func (r *response) send(a *answer, q *server.Request) {
	if q == nil {
		var ok bool
		if q, ok = r.f.queue.Object(r.handle).(*server.Request); !ok {
			return
		}
	}
	fields := a.fields
	if r.fields.Get(":method") == "HEAD" {
		if a.status != 304 {
			fields = append(fields, peer.Field{Name: "content-length", Value: strconv.FormatInt(a.length, 10)})
		}
		q.Send(a.status, fields.Pack(), sink.Chunk{}, false)
		return
	}
	r.written = int64(len(a.text))
	q.Send(a.status, fields.Pack(), sink.Chunk{Bytes: a.text, Owner: r}, false)
}

// Release implements sink.ChunkOwner, for bytes that are not used again.
func (r *response) Release([]byte) {}

// pool owns the pieces of one response: no more than those are on their way.
type pool chan []byte

// Release implements sink.ChunkOwner.
func (p pool) Release(b []byte) { p <- b[:cap(b)] }

// stream sends a part of a file piece by piece.
func (r *response) stream(a *answer, part io.Reader) {
	fields := append(a.fields, peer.Field{Name: "content-length", Value: strconv.FormatInt(a.length, 10)})
	r.do(func(q *server.Request) { q.Start(a.status, fields.Pack()) })
	free := make(pool, pieces)
	for range pieces {
		free <- make([]byte, pieceBytes)
	}
	for left := a.length; left > 0; {
		var piece []byte
		select {
		case piece = <-free:
		case <-r.quit:
			return
		}
		n, err := io.ReadFull(part, piece[:min(left, pieceBytes)])
		if err != nil { // it has become shorter, or cannot be read
			r.do(func(q *server.Request) { q.Reset(internalError) })
			return
		}
		left -= int64(n)
		last := left == 0
		chunk := sink.Chunk{Bytes: piece[:n], Owner: free}
		r.f.queue.Do(func() {
			q, ok := r.f.queue.Object(r.handle).(*server.Request)
			switch {
			case !ok || r.f.responses[r.handle] != r:
				chunk.Release()
				return
			case last:
				q.End(chunk)
			default:
				q.Write(chunk)
			}
			r.written += int64(n)
		})
	}
	<-r.quit
}
