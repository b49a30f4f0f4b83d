package message

import (
	"sync"

	"zigh3/engine/wire"
)

// A frameEncoder makes frames of the parts of a message. One goroutine uses it at a time.
type frameEncoder struct {
	fields *wire.FieldEncoder
	run    []byte
	extra  []byte
}

var frameEncoders = sync.Pool{New: func() any { return &frameEncoder{fields: wire.NewFieldEncoder(), run: make([]byte, 0, 2<<10)} }}

// headRoom is kept free in front of a field section for its frame's type and length: the length is known only afterwards.
const headRoom = 9

// encode makes the frames of p up to its body, or, with body, all of them, as one run of bytes that is valid until the next call.
func (e *frameEncoder) encode(p *Part, body bool) []byte {
	const largestKept = 64 << 10
	if cap(e.run) > largestKept {
		e.run = make([]byte, 0, 2<<10)
	}
	var room [headRoom]byte
	start := headRoom
	run := append(e.run[:0], room[:]...)
	if p.Head {
		if p.Status == 0 {
			run = e.fields.AppendRequest(run, p.Headers, p.Length)
		} else {
			run = e.fields.AppendResponse(run, p.Status, p.Headers, p.Length, p.Date)
		}
		var head [wire.MaxFrameHead]byte
		h := wire.AppendFrameHead(head[:0], wire.FrameHeaders, uint64(len(run)-headRoom))
		start = headRoom - len(h)
		copy(run[start:], h)
	}
	if n := len(p.Body.Bytes); n > 0 {
		run = wire.AppendFrameHead(run, wire.FrameData, uint64(n))
		if body {
			run = append(run, p.Body.Bytes...)
		}
	}
	if body && p.HasTrailers {
		run = e.trailers(run, p.Trailers)
	}
	e.run = run
	return run[start:]
}

func (e *frameEncoder) trailers(dst, packed []byte) []byte {
	if len(packed) == 0 {
		return dst
	}
	e.extra = e.fields.AppendTrailers(e.extra[:0], packed)
	dst = wire.AppendFrameHead(dst, wire.FrameHeaders, uint64(len(e.extra)))
	return append(dst, e.extra...)
}

// Encode makes frames of a part, in memory of their own.
func Encode(p *Part) []byte {
	e := frameEncoders.Get().(*frameEncoder)
	defer frameEncoders.Put(e)
	return append([]byte(nil), e.encode(p, true)...)
}
