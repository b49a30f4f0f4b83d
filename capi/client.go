package main

/*
#include <stdlib.h>
#include "client.h"
#include "command.h"
*/
import "C"

import (
	"math"
	"sync"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/config"
	"zigh3/engine/congestion"
	"zigh3/engine/sink"
)

// A hostClient ties an engine's client to its handle, its queue and the memory that the host reads of it.
type hostClient struct {
	c      *C.struct_client
	handle uint64
	engine *client.Client
	sink   *queueSink

	mu    sync.Mutex
	ended bool // CLIENT_CLOSED is out, or about to be
}

// The counters' memory is laid out in C.
var _ [C.CLIENT_STATS_MAX - sink.ClientStatCount]struct{}

func newClient(c *C.struct_client, o *config.ClientOptions, q *queue) (*hostClient, error) {
	one := &hostClient{c: c}
	index, ok := takeSlot()
	if !ok {
		return nil, errTooManyObjects
	}
	one.sink = (&queueSink{events: q.events, queue: q.handle, client: one, account: index}).enrol()
	one.sink.bind(index, 0, unsafe.Pointer(one))
	p, account := &slots[index], &accounts[index]
	p.account.Store(index)
	p.codes.Store(uint64(one.sink.number))
	account.most.Store(uint64(o.MaxQueuedRequestBytes))
	account.highWater.Store(uint32(min(o.HighWaterMark, math.MaxUint32)))
	one.handle = name(kindClient, index, uint64(uintptr(unsafe.Pointer(c))), C.SLOT_UNTOLD)
	var err error
	one.engine, err = client.New(o, sink.Handle(one.handle), one.sink, (*sink.ClientStats)(unsafe.Pointer(&c.stats)))
	if err != nil {
		one.sink.dismiss()
		retire(one.handle)
		return nil, err
	}
	registry.Lock()
	_, there := registry.queues[q.handle]
	if there {
		registry.clients[one.handle] = one
	}
	registry.Unlock()
	aside("client end", one.awaitEnd)
	if !there { // freed meanwhile: it does not know of this client
		one.close(0)
		return one, errStale
	}
	announce(one.handle, 0)
	return one, nil
}

// close closes the client; see client.Client.Close.
func (c *hostClient) close(deadlineMs int32) { c.engine.Close(deadline(deadlineMs)) }

// closing is called just before CLIENT_CLOSED is committed: whoever sees that event finds the handle stale.
func (c *hostClient) closing() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	forget(c.handle)
}

// live calls fn unless the client has ended; until fn returns it does not.
func (c *hostClient) live(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		fn()
	}
}

// awaitEnd waits for the client's end. What the host has asked for meanwhile is on its way to the reactor, which finds the client there and has
// each told of its end: so it is the reactor who hears, behind that, that the client is gone.
func (c *hostClient) awaitEnd() {
	<-c.engine.Done()
	registry.Lock()
	delete(registry.clients, c.handle)
	registry.Unlock()
	leave(c.handle)
	C.client_post_gone(C.zig_h3_handle(c.handle))
}

// gone gives back what is left of the client. It waits, as retire does.
func (c *hostClient) gone() {
	c.sink.dismiss()
	retire(c.handle)
	C.client_give(c.c)
}

func makeClient(c *C.struct_command) {
	memory := (*C.struct_client)(c.object)
	one, err := func() (*hostClient, error) {
		o, err := config.ParseClientOptions([]byte(text(c, C.STRING_CLIENT_OPTIONS)))
		if err != nil {
			return nil, err
		}
		q := lookUp(registry.queues, uint64(c.queue))
		if q == nil {
			return nil, errStale
		}
		return newClient(memory, o, q)
	}()
	switch {
	case err != nil:
		if one == nil {
			C.client_give(memory)
		}
		answer(c, 0, err)
	case !answer(c, one.handle, nil):
		forget(one.handle)
		one.close(0)
	}
}

// nameClientStats gives C the names of a client's counters that have one, and where each stands.
func nameClientStats() {
	var names []string
	var places []uint32
	for i, name := range sink.ClientStatNames {
		known := congestion.Installed() || i < sink.StatCongestion || i >= sink.StatCount
		if name != "" && known {
			names, places = append(names, name), append(places, uint32(i))
		}
	}
	copied := C.CBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(places))), len(places)*int(unsafe.Sizeof(places[0]))))
	C.client_stats_set_names(inC(names), (*C.uint32_t)(copied), C.uint32_t(len(names)))
}
