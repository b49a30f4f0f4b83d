package main

/*
#include "client.h"
#include "submission.h"
*/
import "C"

import (
	"encoding/binary"
	"time"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/congestion"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
	"zigh3/eventq"
)

// forClient carries out a submission about a client, whose events go to s.
func forClient(c *hostClient, s *queueSink, h *eventq.Head, payload []byte) {
	entryOf(indexOf(h.Parent)).parent.Store(h.Object)
	switch h.Type {
	case C.SUBMIT_FETCH:
		fetch(c, s, h, payload)
	case C.SUBMIT_SESSION:
		openSession(c, h, payload[:h.MetaLen])
	case C.SUBMIT_CONNECT:
		c.engine.Connect(sink.Handle(h.Parent), &client.ConnectRequest{Authority: string(payload[:h.MetaLen]), UserData: h.UserData})
	}
}

// cut takes the first n bytes off a list.
func cut(list *[]byte, n C.uint32_t) []byte {
	first := (*list)[:n:n]
	*list = (*list)[n:]
	return first
}

// fetch has a fetch sent that the host has the handle of already.
func fetch(c *hostClient, s *queueSink, h *eventq.Head, payload []byte) {
	const head = int(unsafe.Sizeof(C.struct_fetch_wish{}))
	wish := (*C.struct_fetch_wish)(unsafe.Pointer(unsafe.SliceData(payload)))
	rest := payload[head:h.MetaLen]
	whole := wish.flags&C.ZIG_H3_FETCH_END != 0
	request := client.Request{
		Method: string(cut(&rest, wish.method_len)), Authority: string(cut(&rest, wish.authority_len)), Path: pathOf(cut(&rest, wish.path_len)), Headers: rest,
		End: whole, Collect: int64(wish.collect), Datagrams: wish.flags&C.ZIG_H3_FETCH_DATAGRAMS != 0,
		ResponseTimeout: limit(int32(wish.response_timeout_ms)), RequestTimeout: limit(int32(wish.request_timeout_ms)), UserData: h.UserData,
	}
	body := bodyOf(h, payload)
	if whole {
		request.Body = body
		if body.Owner != nil {
			request.Body.Owner = admitted{account: s.account}
		}
	}
	c.engine.Fetch(sink.Handle(h.Parent), &request)
	if whole || len(body.Bytes) == 0 {
		return
	}
	// The begin of a body is a write as those that follow: it counts until it has left.
	if f, _ := objectOf[client.Fetch](h.Parent, kindFetch); f != nil {
		f.Write(body)
	} else {
		body.Release()
	}
}

// admitted owns whole bodies that count for a client: until the engine needs them no more, which is once the server has answered.
type admitted struct{ account uint32 }

// Release implements sink.ChunkOwner.
func (a admitted) Release(b []byte) {
	chunks.Release(b)
	accounts[a.account].give(uint64(len(b)))
}

// pathOf is the path of a URL as it is sent.
func pathOf(path []byte) string {
	if len(path) == 0 || path[0] != '/' {
		return "/" + string(path)
	}
	return string(path)
}

// limit is a time limit as the engine takes it: 0 for the client's option, negative for none.
func limit(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

// openSession has a session asked for that the host has the handle of already.
func openSession(c *hostClient, h *eventq.Head, meta []byte) {
	const head = int(unsafe.Sizeof(C.struct_session_wish{}))
	wish := (*C.struct_session_wish)(unsafe.Pointer(unsafe.SliceData(meta)))
	rest := meta[head:]
	request := client.SessionRequest{
		Authority: string(cut(&rest, wish.authority_len)), Path: pathOf(cut(&rest, wish.path_len)), Protocols: protocolsOf(cut(&rest, wish.protocols_len)),
		Headers: rest, Pooled: wish.flags&C.ZIG_H3_SESSION_POOLED != 0, UserData: h.UserData,
	}
	request.CongestionControl, request.HasCongestionControl = congestionOf(wish.congestion_control)
	c.engine.OpenSession(sink.Handle(h.Parent), &request)
}

// congestionOf is what a session's connection is to use, if it is not the client's option.
func congestionOf(wish C.uint32_t) (a congestion.Algorithm, given bool) {
	switch wish {
	case C.ZIG_H3_CONGESTION_BBR:
		return congestion.BBR, true
	case C.ZIG_H3_CONGESTION_RENO:
		return congestion.NewReno, true
	case C.ZIG_H3_CONGESTION_AUTO:
		return congestion.Auto, true
	}
	return 0, false
}

// protocolsOf reads a list of u16 length, bytes, again and again; that it ends where one of them does was checked.
func protocolsOf(list []byte) (protocols []string) {
	for len(list) > 0 {
		n := 2 + int(binary.NativeEndian.Uint16(list))
		protocols = append(protocols, string(list[2:n]))
		list = list[n:]
	}
	return protocols
}

// forFetch carries out a submission about a fetch.
func forFetch(fetch *client.Fetch, h *eventq.Head, payload []byte) {
	switch h.Type {
	case C.SUBMIT_WRITE:
		fetch.Write(bodyOf(h, payload))
	case C.SUBMIT_END:
		end(fetch, bodyOf(h, payload))
	case C.SUBMIT_TRAILERS:
		fetch.Trailers(bodyOf(h, payload).Bytes)
	case C.SUBMIT_RESET:
		fetch.Cancel(h.Aux)
	case C.SUBMIT_CONSUMED:
		fetch.Consumed(h.Aux)
	case C.SUBMIT_PRIORITY:
		fetch.Prioritize(wire.Priority{Urgency: uint8(h.Status), Incremental: h.Aux != 0})
	case C.SUBMIT_DATAGRAM:
		fetch.SendDatagram(payload[:h.DataLen], age(h.Status))
	case C.SUBMIT_OVERSIZED:
		fetch.DatagramOversized()
	}
}

// end ends a fetch's body. A large last part counts until it has left, not until the response has come: so it is a write as well.
func end(fetch *client.Fetch, body sink.Chunk) {
	if body.Owner != nil {
		fetch.Write(body)
		body = sink.Chunk{}
	}
	fetch.End(body)
}
