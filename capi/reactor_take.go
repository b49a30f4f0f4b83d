package main

/*
#include "handle.h"
#include "submission.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

// forRequest carries out a submission about a request.
func forRequest(request *server.Request, h *eventq.Head, payload []byte) {
	switch h.Type {
	case C.SUBMIT_SEND:
		forget := h.Flags&C.SUBMIT_FORGET != 0
		if h.Flags&C.SUBMIT_UNSENT != 0 {
			request.SendHead(int(h.Status), payload[:h.MetaLen], int64(h.Aux), forget)
		} else {
			request.Send(int(h.Status), payload[:h.MetaLen], bodyOf(h, payload), forget)
		}
	case C.SUBMIT_WRITE:
		if h.Flags&C.SUBMIT_START != 0 {
			request.Start(int(h.Status), payload[:h.MetaLen])
		}
		if h.DataLen > 0 {
			request.Write(bodyOf(h, payload))
		}
	case C.SUBMIT_END:
		request.End(bodyOf(h, payload))
	case C.SUBMIT_TRAILERS:
		if h.Flags&C.SUBMIT_START != 0 {
			request.Start(int(h.Status), payload[:h.MetaLen])
		}
		request.Trailers(bodyOf(h, payload).Bytes)
	case C.SUBMIT_RESET:
		request.Reset(h.Aux)
	case C.SUBMIT_STOP:
		request.Stop()
	case C.SUBMIT_CONSUMED:
		request.Consumed(h.Aux)
	case C.SUBMIT_DATAGRAM:
		request.SendDatagram(payload[:h.DataLen], age(h.Status))
	case C.SUBMIT_OVERSIZED:
		request.DatagramOversized()
	}
}

// forStream carries out a submission about a stream of a session, whose events go to s.
func forStream(stream *session.Stream, s *queueSink, h *eventq.Head, payload []byte) {
	switch h.Type {
	case C.SUBMIT_WRITE:
		stream.Write(bodyOf(h, payload))
		if slots[indexOf(h.Object)].word.Load()&C.SLOT_RESET != 0 {
			settleStream(stream, s, h.Object) // it was taken when this side was over already
		}
	case C.SUBMIT_END:
		stream.End()
	case C.SUBMIT_RESET:
		resetStream(stream, s, h.Object, uint32(h.Aux))
	case C.SUBMIT_STOP:
		stream.Stop(uint32(h.Aux))
	case C.SUBMIT_CONSUMED:
		stream.Consumed(h.Aux)
	case C.SUBMIT_ATOMIC:
		stream.WriteAtomic(bodyOf(h, payload))
	case C.SUBMIT_COMMIT:
		stream.Commit()
	case C.SUBMIT_PRIORITY:
		stream.SetPriority(h.Status, int64(h.Aux))
	}
}

// resetStream gives this side of a stream up, and what waits of it: the other side may live on for long. What was committed stays, and
// leaves.
func resetStream(stream *session.Stream, s *queueSink, h uint64, code uint32) {
	stream.Live(func() { slots[indexOf(h)].credit.And(^uint64(1)) }) // nobody waits for room any more
	stream.Reset(code)
	settleStream(stream, s, h)
}

func settleStream(stream *session.Stream, s *queueSink, h uint64) {
	stream.Silent(func() { s.settle(sink.Handle(h)) })
}

// forSession carries out a submission about a session.
func forSession(session *session.Session, h *eventq.Head, payload []byte) {
	switch h.Type {
	case C.SUBMIT_DATAGRAM:
		session.SendDatagram(payload[:h.DataLen], age(h.Status))
	case C.SUBMIT_OVERSIZED:
		session.DatagramOversized()
	case C.SUBMIT_ACCEPT:
		session.Accept(string(bodyOf(h, payload).Bytes), payload[:h.MetaLen])
	case C.SUBMIT_REJECT:
		session.Reject(int(h.Status), payload[:h.MetaLen], bodyOf(h, payload))
	case C.SUBMIT_CLOSE:
		session.CloseWith(h.Status, string(bodyOf(h, payload).Bytes))
	case C.SUBMIT_DRAIN:
		session.Drain()
	}
}

// forConn carries out a submission about a connection.
func forConn(conn datagramSender, h *eventq.Head, payload []byte) {
	switch h.Type {
	case C.SUBMIT_DATAGRAM:
		conn.SendDatagram(payload[:h.DataLen], age(h.Status))
	case C.SUBMIT_OVERSIZED:
		conn.DatagramOversized()
	}
}

// sendDatagram sends one datagram of many, of whatever sends them.
func sendDatagram(object uint64, data []byte, maxAgeMs uint32) {
	switch object >> kindShift {
	case kindSession:
		if session, _ := objectOf[session.Session](object, kindSession); session != nil {
			session.SendDatagram(data, age(maxAgeMs))
		}
	case kindRequest:
		if request, _ := objectOf[server.Request](object, kindRequest); request != nil {
			request.SendDatagram(data, age(maxAgeMs))
		}
	case kindFetch:
		if fetch, _ := objectOf[client.Fetch](object, kindFetch); fetch != nil {
			fetch.SendDatagram(data, age(maxAgeMs))
		}
	case kindConn:
		if conn, _ := objectOf[datagramSender](object, kindConn); conn != nil {
			(*conn).SendDatagram(data, age(maxAgeMs))
		}
	default: // of these four alone the host's list is packed
		panic(fmt.Sprintf("a datagram of a handle of kind %d", object>>kindShift))
	}
}

// sendDatagrams sends what came in one record: heads of zig_h3_datagram, each with its bytes, at multiples of 8.
func sendDatagrams(list []byte) {
	const head = int(unsafe.Sizeof(C.zig_h3_datagram{}))
	for len(list) > 0 {
		object, n := binary.NativeEndian.Uint64(list), int(binary.NativeEndian.Uint32(list[8:]))
		sendDatagram(object, list[head:head+n:head+n], binary.NativeEndian.Uint32(list[12:]))
		list = list[head+eventq.DataOffset(n):]
	}
}

// age is how long a datagram may wait; 0: for ever.
func age(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
