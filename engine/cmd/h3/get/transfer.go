package get

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zigh3/engine/client"
	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// cancelled is what a server gets to hear of a request that is given up (RFC 9114, 8.1).
const cancelled = 0x10c

// A transfer is one run of the command. The loop has all of it.
type transfer struct {
	o      *options
	std    *cli.Std
	queue  *queue.Queue
	client *client.Client

	target    *peer.Target
	method    string
	fields    peer.Fields
	body      body
	output    output
	resume    resume
	progress  *progress
	began     time.Time
	redirects int
	conns     map[sink.Handle]*connection

	// Of the request under way.
	handle   sink.Handle
	asked    time.Time
	answer   answer
	sending  *queue.Feed  // nil: its body is not read as it is sent
	uploaded int64        // of it
	next     *peer.Target // where the response redirects to
	dropping bool         // the response's body is not wanted

	failure error // the first one
	closing bool
}

// An answer is what is known of a response.
type answer struct {
	begun   bool
	status  int
	fields  peer.Fields
	conn    sink.Handle
	stream  uint64
	first   time.Duration // from the request to the head
	length  int64         // content-length, -1: not known
	arrived int64         // of the body
	reused  bool          // the connection had been there
}

// prepare finds out what is to be asked for, and opens what is to be sent.
func (t *transfer) prepare() error {
	o := t.o
	own := peer.Fields{{Name: "user-agent", Value: "h3"}, {Name: "accept", Value: "*/*"}}
	t.method = o.method
	if err := t.body.open(o, t.std); err != nil {
		return err
	}
	switch {
	case t.method != "":
	case o.head:
		t.method = "HEAD"
	case o.upload != "":
		t.method = "PUT"
	case t.body.given():
		t.method = "POST"
	default:
		t.method = "GET"
	}
	if len(o.data) > 0 {
		own = append(own, peer.Field{Name: "content-type", Value: "application/x-www-form-urlencoded"})
	}
	if err := t.resume.open(o, t.target); err != nil {
		return err
	}
	t.fields = o.fields.With(append(own, t.resume.fields()...))
	t.output.init(o, t.std)
	return nil
}

// run runs until the client has ended, and says how.
func (t *transfer) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { sink.Guard("interrupt", func() { t.endLater(cli.Fail(cli.Interrupted, "interrupted")) }) })
	defer stop()
	if limit := t.o.maxTime; limit > 0 {
		timer := time.AfterFunc(limit, func() {
			sink.Guard("time limit", func() { t.endLater(cli.Fail(cli.Timeout, "it took longer than %v", limit)) })
		})
		defer timer.Stop()
	}
	t.progress = newProgress(t.o, t.std, t.output.toTerminal())
	t.queue.Do(t.ask)
	t.queue.Run(t.handleEvent)
	t.progress.stop()
	if t.sending != nil {
		t.sending.Stop()
	}
	if err := t.output.close(t.failure == nil); err != nil && t.failure == nil {
		t.failure = err
	}
	if err := t.resume.close(t.failure == nil, &t.output); err != nil && t.failure == nil {
		t.failure = err
	}
	if t.o.json {
		if err := t.report(); err != nil && t.failure == nil {
			t.failure = err
		}
	}
	if t.o.silent && t.failure != nil {
		return &cli.Failure{Exit: cli.ExitOf(t.failure)}
	}
	return t.failure
}

// end ends the command, with the first failure that there is.
func (t *transfer) end(failure error) {
	if t.failure == nil {
		t.failure = failure
	}
	if !t.closing {
		t.closing = true
		t.client.Close(0)
	}
}

// endLater has the loop end it.
func (t *transfer) endLater(failure error) { t.queue.Do(func() { t.end(failure) }) }

// fetch is the request under way, nil if there is none.
func (t *transfer) fetch() *client.Fetch {
	f, _ := t.queue.Object(t.handle).(*client.Fetch)
	return f
}

// ask sends the request.
func (t *transfer) ask() {
	if t.closing {
		return
	}
	t.answer, t.dropping, t.next, t.uploaded = answer{length: -1}, false, nil, 0
	t.handle, _ = t.queue.Give() // the first of few
	t.asked = time.Now()
	fields := t.fields
	if n := t.body.length(); n >= 0 && t.body.streamed() {
		fields = append(fields.Without("content-length"), peer.Field{Name: "content-length", Value: fmt.Sprint(n)})
	}
	t.tellRequest(fields)
	r := &client.Request{Method: t.method, Authority: t.target.Authority(), Path: t.target.Path(), Headers: fields.Pack(), End: !t.body.streamed()}
	if data := t.body.data; len(data) > 0 {
		r.Body = sink.Chunk{Bytes: data, Owner: kept{}}
	}
	t.client.Fetch(t.handle, r)
	if t.body.streamed() {
		t.sending = t.body.feed(t)
	}
}

// kept owns bytes that stay.
type kept struct{}

func (kept) Release([]byte) {}

// abort gives the request up, and ends the command with a failure.
func (t *transfer) abort(failure error) {
	if t.failure == nil {
		t.failure = failure
	}
	t.dropping = true
	if f := t.fetch(); f != nil {
		f.Cancel(cancelled)
	}
}

func (t *transfer) handleEvent(e *queue.Event) {
	switch e.Type {
	case sink.EventConnOpened:
		t.conns[e.Object] = newConnection(e)
		t.tellConnection(e.Object)
	case sink.EventInformational:
		t.tellResponse(int(e.Status), peer.Unpack(e.Meta))
		if t.o.include && !t.dropping {
			t.check(t.output.head(int(e.Status), peer.Unpack(e.Meta)))
		}
	case sink.EventResponse:
		t.begin(e)
		t.take(e.Data)
	case sink.EventBody:
		n := len(e.Data)
		t.take(e.Data)
		if f := t.fetch(); f != nil {
			f.Consumed(uint64(n))
		}
	case sink.EventBodyEnd:
		if t.o.verbose && len(e.Meta) > 0 {
			t.tellTrailers(peer.Unpack(e.Meta))
		}
	case sink.EventStreamStopped:
		if t.sending != nil {
			t.sending.Stop()
		}
	case sink.EventFetchDone:
		t.done(e)
	case sink.EventClientClosed:
		t.queue.Stop()
	}
}

// begin takes the head of a response.
func (t *transfer) begin(e *queue.Event) {
	a := &t.answer
	c := t.conns[e.Conn]
	a.begun, a.status, a.fields, a.conn, a.stream, a.first = true, int(e.Status), peer.Unpack(e.Meta), e.Conn, e.Aux, time.Since(t.asked)
	a.length = lengthOf(a.fields)
	if c != nil {
		a.reused, c.used = c.used, true
	}
	t.tellResponse(a.status, a.fields)
	if t.o.include || t.o.head {
		t.check(t.output.head(a.status, a.fields))
	}
	if t.o.follow && redirects(a.status) && a.fields.Has("location") {
		t.dropping = true
		t.redirect()
		if f := t.fetch(); f != nil && e.Flags&sink.FlagEnd == 0 {
			f.Cancel(cancelled)
		}
		return
	}
	switch {
	case t.failure != nil:
	case t.o.fail && a.status >= 400:
		t.abort(cli.Fail(cli.Status, "the server answered with status %d", a.status))
	case t.method == "HEAD" || t.o.json && t.o.output == "":
		t.output.discard()
	default:
		t.check(t.resume.begin(a, &t.output, e.Flags&sink.FlagEnd != 0))
		if t.resume.complete {
			t.dropping = true
			t.output.discard()
		}
	}
}

// check ends the command if what was tried has failed.
func (t *transfer) check(err error) {
	if err != nil {
		t.abort(err)
	}
}

// take takes bytes of the response's body.
func (t *transfer) take(data []byte) {
	t.answer.arrived += int64(len(data))
	if t.dropping || len(data) == 0 {
		return
	}
	t.progress.took(int64(len(data)), t.answer.length)
	t.check(t.output.write(data))
}

// done ends a request, and begins the one that it redirects to.
func (t *transfer) done(e *queue.Event) {
	if t.sending != nil {
		t.sending.Stop()
		t.sending = nil
	}
	if t.next != nil && t.failure == nil {
		t.target = t.next
		t.ask()
		return
	}
	var failure error
	if !t.dropping {
		failure = peer.FailureOf(e.Code, string(e.Data), e.Aux, t.answer.begun)
		var f *cli.Failure
		if errors.As(failure, &f) && f.Exit == cli.Truncated && t.o.output != "" && t.answer.arrived > 0 {
			f.Text += fmt.Sprintf("; %d bytes of the body have come", t.answer.arrived)
		}
	}
	t.end(failure)
}
