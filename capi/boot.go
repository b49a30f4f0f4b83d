package main

/*
#cgo CFLAGS: -std=c11 -D_GNU_SOURCE -fvisibility=hidden
#cgo LDFLAGS: -pthread
#include <stdlib.h>
#include "client.h"
#include "server.h"
#include "session.h"
*/
import "C"

import (
	"os"
	"runtime"
	"unsafe"

	"zigh3/engine/congestion"
	"zigh3/engine/heap"
	"zigh3/engine/sink"
)

// mostProcs leaves processors to the host: the engine has no use for more than a few.
const mostProcs = 4

// defaultProcs is how many processors the engine gets of those that there are: all but one, which is the host's thread's. With as many
// as there are, Go's idle ones look for work that the host is just doing, and every answer wakes two threads instead of one.
func defaultProcs(there int) int { return max(1, min(there-1, mostProcs)) }

// init is the library's start: it runs on a thread of Go's own while the loader goes on. Calls that need the engine wait for it by
// waiting for their command.
func init() {
	if _, set := os.LookupEnv("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(defaultProcs(runtime.GOMAXPROCS(0)))
	}
	if !heap.Chosen() {
		heap.SetFloor(heap.Usual)
	}
	sink.SetFaultHandler(fault)
	routeLog()
	nameStats()
	go sink.Guard("reactor", func() {
		r, err := newReactor()
		if err != nil {
			fault("boot", err, nil)
			return
		}
		r.run()
	})
}

// nameStats gives C the names of the counters that this build has, once and for all.
func nameStats() {
	sessions, servers := sink.SessionStatNames[:], sink.StatNames[:]
	if !congestion.Installed() {
		sessions, servers = sessions[:sink.SessionStatCongestion], servers[:sink.StatCongestion]
	}
	C.session_stats_set_names(inC(sessions), C.uint32_t(len(sessions)))
	C.server_stats_set_names(inC(servers), C.uint32_t(len(servers)))
	nameClientStats()
}

// inC copies texts to memory of C's.
func inC(texts []string) **C.char {
	first := (**C.char)(C.malloc(C.size_t(len(texts)) * C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	for i, text := range texts {
		unsafe.Slice(first, len(texts))[i] = C.CString(text)
	}
	return first
}
