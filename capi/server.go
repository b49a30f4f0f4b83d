package main

/*
#include "server.h"
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
	"unsafe"

	"zigh3/engine/config"
	"zigh3/engine/heap"
	"zigh3/engine/server"
	"zigh3/engine/sink"
)

// maxQueues is how many queues a server may deliver to.
const maxQueues = 64

// A hostServer ties an engine's server to its handle, its queues and the memory that the host reads of it.
type hostServer struct {
	c      *C.struct_server
	handle uint64
	engine *server.Server

	mu     sync.Mutex
	queues []*queue
	sinks  []*queueSink // to each
}

func newServer(c *C.struct_server, o *config.Options, q *queue) (*hostServer, error) {
	s := &hostServer{c: c, queues: []*queue{q}}
	var ok bool
	if s.handle, ok = issue(kindServer, uint64(uintptr(unsafe.Pointer(c)))); !ok {
		return nil, errTooManyObjects
	}
	account := &accounts[s.account()]
	account.most.Store(uint64(o.MaxQueuedResponseBytes))
	account.highWater.Store(uint32(min(o.HighWaterMark, math.MaxUint32)))
	applyGoOptions(&o.Go)
	s.sinks = []*queueSink{s.sinkTo(q)}
	var err error
	s.engine, err = server.New(o, sink.Handle(s.handle), []sink.Sink{s.sinks[0]}, (*sink.Stats)(unsafe.Pointer(&c.stats)))
	if err != nil {
		s.retire()
		return nil, err
	}
	hash := s.engine.CertificateHash()
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&c.certificate_hash)), len(hash)), hash[:])
	registry.Lock()
	_, there := registry.queues[q.handle]
	if there {
		registry.servers[s.handle] = s
	}
	registry.Unlock()
	if !there { // freed meanwhile: it does not know of this server
		s.engine.Free()
		s.retire()
		return nil, errStale
	}
	return s, nil
}

// The counters' memory is laid out in C.
var _ [C.SERVER_STATS_MAX - sink.StatCount]struct{}

func (s *hostServer) sinkTo(q *queue) *queueSink {
	return (&queueSink{events: q.events, queue: q.handle, server: s, account: s.account()}).enrol()
}

// account is the number of the server's account: that of its slot.
func (s *hostServer) account() uint32 { return indexOf(s.handle) }

func (s *hostServer) addQueue(q *queue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.queues, q) {
		return &sink.Error{Code: sink.ErrInvalidArgument, Text: "the server delivers to this queue already"}
	}
	if len(s.queues) == maxQueues {
		return &sink.Error{Code: sink.ErrLimit, Text: "a server takes 64 queues at most"}
	}
	to := s.sinkTo(q)
	if err := s.engine.AddSink(to); err != nil {
		to.dismiss()
		return err
	}
	s.queues, s.sinks = append(s.queues, q), append(s.sinks, to)
	return nil
}

// removeQueue has the server leave a queue. It refuses with ErrWrongState when that is its last one.
func (s *hostServer) removeQueue(q *queue, deadlineMs int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queues, q)
	if i < 0 {
		return &sink.Error{Code: sink.ErrInvalidArgument, Text: "the server does not deliver to this queue"}
	}
	from := s.sinks[i]
	from.leaving.Store(true)
	left, err := s.engine.RemoveSink(from, deadline(deadlineMs))
	if err != nil {
		from.leaving.Store(false)
		return err
	}
	s.queues, s.sinks = slices.Delete(s.queues, i, i+1), slices.Delete(s.sinks, i, i+1)
	aside("queue leaves", func() {
		<-left
		from.dismiss()
	})
	return nil
}

// reportStall tells the server's other queues that the consumer of one takes nothing, or does so again.
func (s *hostServer) reportStall(of *queueSink, stalled bool) {
	level, text := sink.LogInfo, fmt.Sprintf("queue %d is drained again", of.queue)
	if stalled {
		level, text = sink.LogWarn, fmt.Sprintf("queue %d is full, and nobody has drained it for %v: no new connection goes there until somebody does", of.queue, stallAfter)
	}
	s.mu.Lock()
	others := slices.Clone(s.sinks)
	s.mu.Unlock()
	for _, one := range others {
		if one != of {
			sink.EmitLog(one, level, sink.Handle(s.handle), sink.Handle(of.queue), text)
		}
	}
}

func (s *hostServer) delivers(q *queue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.queues, q)
}

func (s *hostServer) setPort(port uint16) { C.server_set_port(s.c, C.uint32_t(port)) }

// deadline is a deadline as the engine takes it.
func deadline(ms int32) time.Duration {
	if ms < 0 {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

func (s *hostServer) stop(deadlineMs int32) { s.engine.Stop(deadline(deadlineMs)) }

// free ends the server: no later command finds it, and once all that it carried has ended its handle and memory are given back. Only
// the first call does anything.
func (s *hostServer) free() {
	registry.Lock()
	_, there := registry.servers[s.handle]
	delete(registry.servers, s.handle)
	registry.Unlock()
	if !there {
		return
	}
	forget(s.handle)
	s.engine.Free()
	aside("server free", func() {
		<-s.engine.Done()
		s.retire()
		C.server_give(s.c)
	})
}

// retire gives the server's slot back, and with it the sinks that are known by number. It waits, as the function does.
func (s *hostServer) retire() {
	s.dismiss()
	retire(s.handle)
}

// applyGoOptions sets what is set of Go's own runtime. It belongs to the whole process: the last server to say something wins.
func applyGoOptions(o *config.GoOptions) {
	if o.MaxProcs > 0 {
		runtime.GOMAXPROCS(o.MaxProcs)
	}
	if o.GCPercent > 0 || o.MemoryLimit > 0 {
		heap.SetFloor(0) // somebody has an idea of their own
	}
	if o.GCPercent > 0 {
		debug.SetGCPercent(o.GCPercent)
	}
	if o.MemoryLimit > 0 {
		debug.SetMemoryLimit(o.MemoryLimit)
	}
}
