package bench

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// firstClient is the handle of the first client: no handle of the queue's is as large.
const firstClient sink.Handle = 1 << 62

// mostFailures is how many requests in a row may fail before there is no point in more.
const mostFailures = 100

// A load is one run of the command.
type load struct {
	o       *options
	target  *peer.Target
	headers []byte
	body    []byte
	loops   []*loop
	running sync.WaitGroup // loops
}

// A phase is a time in which requests are made. It begins and ends with nothing in flight, so that whatever is measured of it is of the same
// requests.
type phase struct {
	over    atomic.Bool
	left    atomic.Int64 // requests
	counted bool         // left says how many
	once    bool         // each place has one
	until   time.Time    // zero: as long as left
	inRow   atomic.Int64
	resting sync.WaitGroup // connections
}

// more reports whether there is to be one more request.
func (p *phase) more() bool {
	if p.over.Load() || !p.until.IsZero() && !time.Now().Before(p.until) {
		return false
	}
	return !p.counted || p.left.Add(-1) >= 0
}

// measure runs the phases: one request on each connection, warming up, measuring.
func (l *load) measure(ctx context.Context) (*report, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	defer l.close()
	if _, _, err := l.run(ctx, &phase{once: true}, 1); err != nil {
		return nil, err
	}
	if l.o.warm > 0 {
		if _, _, err := l.run(ctx, &phase{until: time.Now().Add(l.o.warm)}, l.o.streams); err != nil {
			return nil, err
		}
	}
	server, err := cpuOf(l.o.pid)
	if err != nil {
		return nil, cli.Fail(cli.Usage, "--pid: %v", err)
	}
	own := ownCPU()
	p := &phase{counted: l.o.requests > 0}
	p.left.Store(l.o.requests)
	if !p.counted {
		p.until = time.Now().Add(l.o.duration)
	}
	sum, took, err := l.run(ctx, p, l.o.streams)
	ownAfter := ownCPU()
	serverAfter, cerr := cpuOf(l.o.pid)
	if cerr != nil && err == nil {
		err = cli.Fail(cli.Lost, "the server's process has ended: %v", cerr)
	}
	if sum.latencies.total == 0 {
		return nil, err
	}
	return newReport(l.o, sum, took, ownAfter-own, serverAfter-server, err), err
}

// open makes the clients and starts the loops.
func (l *load) open() error {
	for range min(l.o.connections, runtime.GOMAXPROCS(0)) {
		l.loops = append(l.loops, &loop{l: l, queue: queue.New(), conns: make(map[sink.Handle]*connection)})
	}
	for i := range l.o.connections {
		p := l.loops[i%len(l.loops)]
		c := &connection{loop: p, handle: firstClient + sink.Handle(i)}
		var err error
		if c.client, err = l.o.Client(p.queue, c.handle, new(sink.ClientStats), peer.More{"webtransport": false, "max_connections": 1, "max_connections_per_origin": 1}); err != nil {
			return err
		}
		p.conns[c.handle] = c
	}
	for _, p := range l.loops {
		l.running.Go(func() { sink.Guard("loop", func() { p.queue.Run(p.handleEvent) }) })
	}
	return nil
}

// close ends the clients, and with them the loops.
func (l *load) close() {
	for _, p := range l.loops {
		for _, c := range p.conns {
			c.client.Close(0)
		}
	}
	l.running.Wait()
}

// run runs a phase with so many requests in flight on each connection, and gives what came of it and how long it took. The error is the
// first failure that there was, or that it was interrupted.
func (l *load) run(ctx context.Context, p *phase, streams int) (*result, time.Duration, error) {
	stop := context.AfterFunc(ctx, func() { sink.Guard("interrupt", func() { p.over.Store(true) }) })
	defer stop()
	p.resting.Add(l.o.connections)
	began := time.Now()
	for _, one := range l.loops {
		one.queue.Do(func() {
			one.phase, one.result = p, result{statuses: make(map[int]int64)}
			for _, c := range one.conns {
				c.asked = make([]time.Time, streams)
				c.begin()
			}
		})
	}
	p.resting.Wait()
	took := time.Since(began)
	sum := &result{statuses: make(map[int]int64)}
	for _, one := range l.loops {
		done := make(chan struct{})
		one.queue.Do(func() { // behind what the loop does with it
			defer close(done)
			sum.add(&one.result)
		})
		<-done
	}
	if ctx.Err() != nil {
		sum.failure = cli.Fail(cli.Interrupted, "interrupted")
	}
	return sum, took, sum.failure
}

// add adds what came of a phase elsewhere.
func (r *result) add(other *result) {
	r.latencies.merge(&other.latencies)
	for status, n := range other.statuses {
		r.statuses[status] += n
	}
	r.received += other.received
	r.failed += other.failed
	if r.failure == nil {
		r.failure = other.failure
	}
}
