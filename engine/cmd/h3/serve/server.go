package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/config"
	"zigh3/engine/server"
	"zigh3/engine/sink"
)

// serverHandle is what stands for the server in events: no handle of the queue's is as large.
const serverHandle = 1 << 62

// mostResponses is how many responses may have a file at a time; more are answered 503.
const mostResponses = 1024

// A folder is what is served. The loop has what is in it.
type folder struct {
	o         *options
	std       *cli.Std
	root      *os.Root
	queue     *queue.Queue
	server    *server.Server
	responses map[sink.Handle]*response
	places    chan struct{} // one for each response that has a file
	remotes   map[sink.Handle]string
	failure   error
}

func newFolder(o *options, std *cli.Std, root *os.Root) *folder {
	return &folder{o: o, std: std, root: root, queue: queue.New(), responses: make(map[sink.Handle]*response), places: make(chan struct{}, mostResponses),
		remotes: make(map[sink.Handle]string)}
}

// start binds the server.
func (f *folder) start(host string, port uint16) error {
	options, err := config.ParseOptions(host, port, f.o.cert, f.o.key, nil)
	if err != nil {
		return cli.Fail(cli.Usage, "%v", err)
	}
	if f.server, err = server.New(options, serverHandle, []sink.Sink{f.queue}, new(sink.Stats)); err != nil {
		return cli.Fail(cli.Identity, "%v", err)
	}
	if _, err := f.server.Route("GET", "/*", 0, 0); err != nil { // and HEAD; others are answered 405
		return err
	}
	if err := f.server.Start(); err != nil {
		var failure *sink.Error
		if errors.As(err, &failure) && failure.Code == sink.ErrResolve {
			return cli.Fail(cli.Resolve, "%v", err)
		}
		return cli.Fail(cli.Bind, "%v", err)
	}
	return nil
}

// run serves until it is interrupted, and what there is has ended.
func (f *folder) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { sink.Guard("stop", func() { f.server.Stop(f.o.grace) }) })
	defer stop()
	f.queue.Run(f.handleEvent)
	return f.failure
}

func (f *folder) handleEvent(e *queue.Event) {
	switch e.Type {
	case sink.EventRequest:
		f.request(e)
	case sink.EventStreamClosed:
		f.closed(e)
	case sink.EventConnOpened:
		f.remotes[e.Object] = peer.Unpack(e.Meta).Get("remote")
	case sink.EventConnClosed:
		delete(f.remotes, e.Object)
	case sink.EventBody: // nobody asked for it
		if r, ok := f.queue.Object(e.Object).(*server.Request); ok {
			r.Stop()
		}
	case sink.EventServerStopped:
		switch e.Code {
		case sink.OK:
		case sink.ErrTimeout:
			f.failure = cli.Fail(cli.Timeout, "requests were cut off after %v", f.o.grace)
		default:
			f.failure = cli.Fail(cli.Lost, "the socket has failed: %s", e.Data)
		}
		f.server.Free()
		f.queue.Stop()
	}
}

// request begins to answer one.
func (f *folder) request(e *queue.Event) {
	r := &response{f: f, handle: e.Object, fields: peer.Unpack(e.Meta), remote: f.remotes[e.Conn], began: time.Now(), quit: make(chan struct{})}
	f.responses[e.Object] = r
	select {
	case f.places <- struct{}{}:
		go sink.Guard("response", func() {
			defer func() { <-f.places }()
			r.run()
		})
	default:
		r.send(plain(503, peer.Field{Name: "retry-after", Value: "1"}), nil)
	}
}

// closed ends one.
func (f *folder) closed(e *queue.Event) {
	r := f.responses[e.Object]
	if r == nil {
		return
	}
	delete(f.responses, e.Object)
	close(r.quit)
	if !f.o.verbose {
		return
	}
	how := ""
	if e.Code != sink.OK {
		how = ", cut off"
	}
	// The path comes from the peer: nothing in it gets to a terminal as it is.
	fmt.Fprintf(f.std.Err, "%s %s %s %s %d, %d bytes, %.1f ms%s\n", r.began.Format(time.DateTime), r.remote, r.fields.Get(":method"), strconv.Quote(r.fields.Get(":path")),
		e.Status, r.written, float64(time.Since(r.began).Microseconds())/1e3, how)
}
