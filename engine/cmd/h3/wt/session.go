package wt

import (
	"context"
	"fmt"
	"time"

	"zigh3/engine/client"
	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A visit is one run of the command. The loop has all of it.
type visit struct {
	o      *options
	std    *cli.Std
	queue  *queue.Queue
	client *client.Client
	target *peer.Target

	handle  sink.Handle // of the session
	stream  sink.Handle // of the one that standard input goes to
	feed    *queue.Feed
	streams map[sink.Handle]*incoming
	closed  chan struct{} // once the session has ended

	streamEnd error // how that stream has ended, if not well
	failure   error // the first one
	deaf      bool  // nothing more can be written
	closing   bool
}

// run runs until the client has ended, and says how.
func (v *visit) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		sink.Guard("interrupt", func() {
			v.queue.Do(func() {
				v.fail(cli.Fail(cli.Interrupted, "interrupted"))
				v.close()
			})
		})
	})
	defer stop()
	v.closed = make(chan struct{})
	v.queue.Do(v.open)
	v.queue.Run(v.handleEvent)
	return v.failure
}

// fail notes the first failure.
func (v *visit) fail(err error) {
	if v.failure == nil {
		v.failure = err
	}
}

// goodbye is how long the server may take to hear how the session has ended.
const goodbye = 2 * time.Second

// end ends the client.
func (v *visit) end() {
	if !v.closing {
		v.closing = true
		v.client.Close(goodbye)
	}
}

func (v *visit) open() {
	v.handle, _ = v.queue.Give() // the first of few
	v.client.OpenSession(v.handle, &client.SessionRequest{Authority: v.target.Authority(), Path: v.target.Path(), Headers: v.o.fields.With(nil).Pack(), Protocols: v.o.protocols})
}

// session is the session, nil once it has ended.
func (v *visit) session() *session.Session {
	s, _ := v.queue.Object(v.handle).(*session.Session)
	return s
}

// close closes the session.
func (v *visit) close() {
	if s := v.session(); s != nil {
		s.CloseWith(uint32(v.o.closeCode), v.o.closeReason)
	}
}

// say writes a line to standard error, tell one for -v.
func (v *visit) say(format string, args ...any) { fmt.Fprintf(v.std.Err, "h3: "+format+"\n", args...) }

func (v *visit) tell(format string, args ...any) {
	if v.o.verbose {
		v.say(format, args...)
	}
}

func (v *visit) handleEvent(e *queue.Event) {
	switch e.Type {
	case sink.EventConnOpened:
		v.tell("connected to %s", peer.Unpack(e.Meta).Get("remote"))
	case sink.EventSessionOpened:
		v.opened(peer.Unpack(e.Meta), int(e.Status))
	case sink.EventSessionDraining:
		v.tell("the server wants the session to end soon")
	case sink.EventSessionClosed:
		v.sessionClosed(e)
	case sink.EventSessionDatagram:
		v.datagram(e.Data)
	case sink.EventDatagramsDropped:
		v.say("%d datagrams were not sent", e.Aux)
	case sink.EventStreamOpened:
		if e.Flags&sink.FlagRemote != 0 {
			v.arrived(e)
		}
	case sink.EventStreamData:
		v.data(e)
	case sink.EventStreamReset:
		v.reset(e)
	case sink.EventStreamStopped:
		v.stopped(e)
	case sink.EventStreamEnded:
		v.streamEnded(e)
	case sink.EventClientClosed:
		v.queue.Stop()
	}
}

// opened begins what the session is for.
func (v *visit) opened(fields peer.Fields, limit int) {
	v.tell("the session is open, protocol %q, datagrams of at most %d bytes", fields.Get("protocol"), limit)
	if v.o.datagrams {
		v.feedDatagrams()
	} else {
		v.openStream()
	}
}

// sessionClosed tells how the session has ended.
func (v *visit) sessionClosed(e *queue.Event) {
	close(v.closed)
	if v.feed != nil {
		v.feed.Stop()
	}
	switch remote := e.Flags&sink.FlagRemote != 0; {
	case e.Code == sink.OK && remote:
		v.say("the server has closed the session with code %d and reason %q", e.Aux, e.Data)
		if e.Aux != 0 {
			v.fail(&cli.Failure{Exit: cli.Closed})
		}
	case e.Code == sink.OK:
		v.tell("closed with code %d", e.Aux)
		v.fail(v.streamEnd)
	case e.Code == sink.ErrRejected:
		v.fail(cli.Fail(cli.Refused, "%s", e.Data))
	default:
		v.fail(peer.FailureOf(e.Code, string(e.Data), e.Aux, false))
	}
	v.end()
}
