package main

/*
#include <stdlib.h>
#include "command.h"
#include "queue.h"
#include "server.h"
*/
import "C"

import (
	"errors"
	"unsafe"

	"zigh3/engine/config"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// perform carries out a command. What may take a while gets a goroutine; the rest happens in its place among the submissions.
func perform(c *C.struct_command) {
	C.command_accept(c)
	switch c.kind {
	case C.COMMAND_QUEUE_NEW:
		makeQueue(c)
	case C.COMMAND_QUEUE_FREE:
		if q := lookUp(registry.queues, uint64(c.target)); q != nil {
			q.free()
		}
		answer(c, 0, nil)
	case C.COMMAND_SERVER_NEW:
		aside("server new", func() { makeServer(c) })
	case C.COMMAND_SERVER_FREE:
		if s := lookUp(registry.servers, uint64(c.target)); s != nil {
			s.free()
		}
		answer(c, 0, nil)
	case C.COMMAND_SERVER_STOP:
		if s := lookUp(registry.servers, uint64(c.target)); s != nil {
			s.stop(int32(c.deadline_ms))
		}
		answer(c, 0, nil)
	case C.COMMAND_SERVER_START:
		withServer(c, func(s *hostServer) { aside("server start", func() { answer(c, 0, s.engine.Start()) }) })
	case C.COMMAND_SERVER_ADD_QUEUE:
		withServer(c, func(s *hostServer) {
			q := lookUp(registry.queues, uint64(c.queue))
			if q == nil {
				answer(c, 0, errStale)
				return
			}
			answer(c, 0, s.addQueue(q))
		})
	case C.COMMAND_SERVER_REMOVE_QUEUE:
		withServer(c, func(s *hostServer) {
			q := lookUp(registry.queues, uint64(c.queue))
			if q == nil {
				answer(c, 0, errStale)
				return
			}
			answer(c, 0, s.removeQueue(q, int32(c.deadline_ms)))
		})
	case C.COMMAND_SERVER_ROUTE:
		withServer(c, func(s *hostServer) {
			method, pattern := text(c, C.STRING_METHOD), text(c, C.STRING_PATTERN)
			id, err := s.engine.Route(method, pattern, uint32(c.flags), uint64(c.user_data))
			answer(c, uint64(id), err)
		})
	case C.COMMAND_CLIENT_NEW:
		aside("client new", func() { makeClient(c) })
	case C.COMMAND_CLIENT_CLOSE:
		if one, _ := objectOf[hostClient](uint64(c.target), kindClient); one != nil {
			one.close(int32(c.deadline_ms))
		}
		answer(c, 0, nil)
	case C.COMMAND_CLIENT_GONE:
		if one, _ := objectOf[hostClient](uint64(c.target), kindClient); one != nil {
			aside("client gone", one.gone)
		}
		answer(c, 0, nil)
	case C.COMMAND_SESSION_EXPORT:
		export(c)
	case C.COMMAND_FAILPOINT:
		failpoint(c)
	}
}

func aside(name string, fn func()) { go sink.Guard(name, fn) }

func withServer(c *C.struct_command, fn func(*hostServer)) {
	if s := lookUp(registry.servers, uint64(c.target)); s != nil {
		fn(s)
	} else {
		answer(c, 0, errStale)
	}
}

func makeQueue(c *C.struct_command) {
	memory := (*C.struct_queue)(c.object)
	q, err := newQueue(memory)
	if err != nil {
		C.queue_let_go(memory)
		answer(c, 0, err)
		return
	}
	if !answer(c, q.handle, nil) {
		forget(q.handle)
		q.free()
	}
}

func makeServer(c *C.struct_command) {
	memory := (*C.struct_server)(c.object)
	s, err := func() (*hostServer, error) {
		o, err := config.ParseOptions(text(c, C.STRING_HOSTNAME), uint16(c.port), text(c, C.STRING_CERT), text(c, C.STRING_KEY),
			[]byte(text(c, C.STRING_OPTIONS)))
		if err != nil {
			return nil, err
		}
		q := lookUp(registry.queues, uint64(c.queue))
		if q == nil {
			return nil, errStale
		}
		return newServer(memory, o, q)
	}()
	if err != nil {
		C.server_give(memory)
		answer(c, 0, err)
		return
	}
	if !answer(c, s.handle, nil) {
		s.free()
	}
}

// export derives keying material, and answers with its address.
func export(c *C.struct_command) {
	session, _ := objectOf[session.Session](uint64(c.target), kindSession)
	if session == nil {
		answer(c, 0, errStale)
		return
	}
	material, err := session.ExportKeyingMaterial([]byte(text(c, C.STRING_LABEL)), []byte(text(c, C.STRING_CONTEXT)), int(c.size))
	if err != nil {
		answer(c, 0, err)
		return
	}
	copied := C.CBytes(material)
	if !answer(c, uint64(uintptr(copied)), nil) {
		C.free(copied)
	}
}

// text is a string of a command.
func text(c *C.struct_command, index C.uint32_t) string {
	var n C.uint32_t
	at := C.command_string(c, index, &n)
	return C.GoStringN(at, C.int(n))
}

// answer lets the command go. It reports whether the host still waits for it.
func answer(c *C.struct_command, result uint64, err error) bool {
	code, words := sink.OK, ""
	if err != nil {
		code, words = sink.ErrInternal, err.Error()
		var e *sink.Error
		if errors.As(err, &e) {
			code = e.Code
		}
	}
	return bool(C.command_answer(c, C.int32_t(code), (*C.char)(unsafe.Pointer(unsafe.StringData(words))), C.size_t(len(words)), C.uint64_t(result)))
}
