package main

/*
#include "insist.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// attend sees to the slots that found no room in the ring. Their objects end on other goroutines meanwhile, and the slots come to others:
// what a slot says is taken while its object lasts, and told to nobody else.
func attend() {
	for link := table.attention.Swap(0); link != 0; {
		index := link - 1
		p := &slots[index]
		link = p.nextAttention.Load()
		bits := p.attention.Swap(0) // from here on the slot may be on the stack again
		word := p.word.Load()       // behind the bits: the slot may have come to the object that they are of just now
		h := word&nameMask | uint64(index)
		if (bits^word)&(generationMask<<generationShift) != 0 {
			continue // of an object that has ended
		}
		switch h >> kindShift {
		case kindRequest:
			attendRequest(p, h, bits)
		case kindStream:
			attendStream(p, h, bits)
		case kindFetch:
			attendFetch(p, h, bits)
		case kindConnect:
			if wish, _ := objectOf[client.Connecting](h, kindConnect); wish != nil {
				wish.Cancel()
			} else {
				attendLater(p, h, bits)
			}
		case 0: // it has ended
		default:
			panic(fmt.Sprintf("attention for a handle of kind %d", h>>kindShift))
		}
	}
}

// An attended is an object whose slot may have something to be seen to.
type attended interface {
	Live(fn func())
	Consumed(n uint64)
}

// takeOwed takes what an object's slot says while the object lasts: the credit that is due, which it gives, the codes, which are the result, and
// that a WRITABLE is owed.
func takeOwed(o attended, s *queueSink, p *slot, h, bits uint64) (codes uint64) {
	var consumed uint32
	o.Live(func() {
		consumed, codes = p.owed.Swap(0), p.codes.Load()
		if bits&C.ATTENTION_WRITABLE != 0 {
			s.owed(sink.Handle(h))
		}
	})
	if consumed != 0 {
		o.Consumed(uint64(consumed))
	}
	return codes
}

func attendRequest(p *slot, h, bits uint64) {
	request, s := objectOf[server.Request](h, kindRequest)
	if request == nil {
		return
	}
	code := takeOwed(request, s, p, h, bits)
	if bits&C.ATTENTION_STOP != 0 {
		request.Stop()
	}
	if bits&C.ATTENTION_RESET != 0 {
		request.Reset(code)
	}
}

func attendStream(p *slot, h, bits uint64) {
	stream, s := objectOf[session.Stream](h, kindStream)
	if stream == nil {
		attendLater(p, h, bits)
		return
	}
	codes := takeOwed(stream, s, p, h, bits)
	if bits&C.ATTENTION_STOP != 0 {
		stream.Stop(uint32(codes >> 32))
	}
	if bits&C.ATTENTION_RESET != 0 {
		resetStream(stream, s, h, uint32(codes))
	}
}

// attendLater is for what the host has just opened or asked for, while the record that says so is on its way: after that.
func attendLater(p *slot, h, bits uint64) {
	if (p.word.Load()^h)&nameMask == 0 {
		C.insist_by_attention((*C.struct_slot)(unsafe.Pointer(p)), C.zig_h3_handle(h), C.uint64_t(bits&(1<<generationShift-1)))
	}
}

func attendFetch(p *slot, h, bits uint64) {
	fetch, s := objectOf[client.Fetch](h, kindFetch)
	if fetch == nil {
		attendLater(p, h, bits)
		return
	}
	code := takeOwed(fetch, s, p, h, bits)
	if bits&C.ATTENTION_RESET != 0 {
		fetch.Cancel(code)
	}
}
