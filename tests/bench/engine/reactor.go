package main

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strconv"
	"sync"

	"zigh3/engine/server"
	"zigh3/engine/sink"
)

// patterns are the routes; their user data is their place here.
var patterns = [...]string{hello: "/", bytesOf: "/bytes/:n", wait: "/wait", waiting: "/waiting", release: "/release", mallocs: "/mallocs"}

const (
	hello = iota
	bytesOf
	wait
	waiting
	release
	mallocs
)

// maxBytes is the largest body that GET /bytes/:n gives.
const maxBytes = 64 << 20

// A reactor answers requests, all on one goroutine.
type reactor struct {
	queue   *queue
	text    []byte // packed list: content-type of a text
	octets  []byte
	content func() []byte // made when first asked for, as in the plain server
	parked  map[sink.Handle]*server.Request
}

func newReactor(q *queue) *reactor {
	return &reactor{
		queue: q, text: packed("content-type", "text/plain"), octets: packed("content-type", "application/octet-stream"),
		content: sync.OnceValue(func() []byte { return make([]byte, maxBytes) }), parked: map[sink.Handle]*server.Request{},
	}
}

func (r *reactor) run() {
	var events []entry
	for {
		events = r.queue.take(events)
		for i := range events {
			e := &events[i]
			switch e.Type {
			case sink.EventRequest:
				r.answer(e)
			case sink.EventStreamClosed:
				delete(r.parked, e.Object)
			default:
				r.session(e)
			}
		}
	}
}

func (r *reactor) answer(e *entry) {
	request := r.queue.request(e.Object)
	if request == nil {
		return // its connection has gone meanwhile
	}
	switch e.UserData {
	case hello:
		r.send(request, "hello world")
	case bytesOf:
		n, err := strconv.Atoi(string(segment(e.meta(), "/bytes/")))
		if err != nil || n < 0 || n > maxBytes {
			request.Send(400, r.text, sink.Chunk{Bytes: []byte("bad length")}, true)
			return
		}
		request.Send(200, r.octets, sink.Chunk{Bytes: r.content()[:n], Owner: shared{}}, true)
	case wait:
		r.parked[e.Object] = request
	case waiting:
		r.send(request, strconv.Itoa(len(r.parked)))
	case release:
		n := len(r.parked)
		for h, p := range r.parked {
			r.send(p, "released")
			delete(r.parked, h)
		}
		r.send(request, strconv.Itoa(n))
	case mallocs:
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		r.send(request, strconv.FormatUint(m.Mallocs, 10))
	}
}

func (r *reactor) send(request *server.Request, body string) {
	request.Send(200, r.text, sink.Chunk{Bytes: []byte(body)}, true)
}

// shared owns bytes that nobody has to give back.
type shared struct{}

func (shared) Release([]byte) {}

func packed(name, value string) []byte {
	list := binary.LittleEndian.AppendUint16(nil, uint16(len(name)))
	list = binary.LittleEndian.AppendUint32(list, uint32(len(value)))
	return append(append(list, name...), value...)
}

// segment is what follows prefix in the path of a request, up to its query.
func segment(meta []byte, prefix string) []byte {
	const head = 6
	for i := 0; len(meta) >= head; i++ {
		name, value := int(binary.LittleEndian.Uint16(meta)), int(binary.LittleEndian.Uint32(meta[2:]))
		if i == 3 { // :method, :scheme, :authority, :path
			path, _, _ := bytes.Cut(meta[head+name:head+name+value], []byte("?"))
			return bytes.TrimPrefix(path, []byte(prefix))
		}
		meta = meta[head+name+value:]
	}
	return nil
}
