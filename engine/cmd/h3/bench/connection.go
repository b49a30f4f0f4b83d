package bench

import (
	"time"

	"zigh3/engine/client"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// A loop is a queue with the connections whose events it handles. What is in it belongs to it while a phase lasts.
type loop struct {
	l      *load
	queue  *queue.Queue
	conns  map[sink.Handle]*connection // by the client's handle
	phase  *phase
	result result
	closed int
}

// A connection is one, with its requests in flight.
type connection struct {
	loop   *loop
	client *client.Client
	handle sink.Handle // of the client
	asked  []time.Time // by place
	flight int
}

// A result is what came of a phase.
type result struct {
	latencies histogram
	statuses  map[int]int64
	received  int64 // bytes of bodies
	failed    int64
	failure   error // the first one
}

// everything is what a response may be long: that lets it come without credit.
const everything = 1 << 50

// begin fills a connection for a phase.
func (c *connection) begin() {
	for place := range c.asked {
		if !c.ask(place) {
			break
		}
	}
	c.rest()
}

// rest tells the phase that nothing is in flight any more.
func (c *connection) rest() {
	if c.flight == 0 {
		c.loop.phase.resting.Done()
	}
}

// ask sends the next request, if there is to be one more.
func (c *connection) ask(place int) bool {
	l := c.loop.l
	if !c.loop.phase.more() {
		return false
	}
	h, ok := c.loop.queue.Give()
	if !ok {
		return false
	}
	c.asked[place] = time.Now()
	c.flight++
	r := client.Request{Method: l.o.method, Authority: l.target.Authority(), Path: l.target.Path(), Headers: l.headers, End: true, Collect: everything, UserData: uint64(place)}
	if len(l.body) > 0 {
		r.Body = sink.Chunk{Bytes: l.body, Owner: shared{}}
	}
	c.client.Fetch(h, &r)
	return true
}

// shared owns bytes that nobody has to give back.
type shared struct{}

func (shared) Release([]byte) {}

func (p *loop) handleEvent(e *queue.Event) {
	switch e.Type {
	case sink.EventResponse, sink.EventBody:
		p.result.received += int64(len(e.Data))
	case sink.EventFetchDone:
		p.done(p.conns[e.Parent], e)
	case sink.EventClientClosed:
		if p.closed++; p.closed == len(p.conns) {
			p.queue.Stop()
		}
	}
}

// done counts a request that has ended, and sends the next one in its place.
func (p *loop) done(c *connection, e *queue.Event) {
	place := int(e.UserData)
	c.flight--
	if e.Code == sink.OK {
		p.result.latencies.add(time.Since(c.asked[place]))
		p.result.statuses[int(e.Status)]++
		p.phase.inRow.Store(0)
	} else {
		p.result.failed++
		if p.result.failure == nil {
			p.result.failure = peer.FailureOf(e.Code, string(e.Data), e.Aux, e.Status != 0)
		}
		if p.phase.inRow.Add(1) >= mostFailures {
			p.phase.over.Store(true)
		}
	}
	if p.phase.once || !c.ask(place) {
		c.rest()
	}
}
