package main

import (
	"fmt"
	"time"

	"zigh3/engine/client"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A loop does what is measured. But for await and phase, its own goroutine alone calls it.
type loop struct {
	queue   *queue.Queue
	clients []*client.Client
	begin   func(*loop)
	payload []byte

	sessions map[sink.Handle]*pings // those that last, by handle
	lanes    map[sink.Handle]*lane  // what is in flight, by the handle of its stream or session
	end      time.Time              // of the phase
	flight   int
	took     []time.Duration
	idle     chan struct{} // holds one: nothing is in flight any more
}

// A lane is one of those that are in flight: the next thing begins when it has come to its end.
type lane struct {
	client  *client.Client
	session sink.Handle // whose streams it opens
	begun   time.Time
	back    int // bytes
}

// await does something in the loop, and waits until nothing is in flight.
func (l *loop) await(do func()) {
	l.queue.Do(do)
	<-l.idle
}

// phase does what is measured for a while.
func (l *loop) phase(length time.Duration) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(lostAfter / 4):
				l.queue.Do(l.lookForLost)
			}
		}
	}()
	l.await(func() {
		l.took, l.end = nil, time.Now().Add(length)
		switch *mode {
		case "datagram":
			for _, p := range l.sessions {
				for range *streams {
					l.ping(p, time.Now())
				}
			}
		case "stream":
			for h := range l.sessions {
				for range *streams {
					l.stream(&lane{session: h}, time.Now())
				}
			}
		default:
			for _, c := range l.clients {
				for range *streams {
					l.visit(&lane{client: c}, time.Now())
				}
			}
		}
	})
}

// open opens what lasts for the whole run.
func (l *loop) open() {
	l.flight++
	l.begin(l)
	l.done()
}

func (l *loop) nothing() {}

func (l *loop) openSessions() {
	for _, c := range l.clients {
		l.flight++
		h := l.ask(c, false)
		l.sessions[h] = &pings{handle: h, sent: map[uint64]time.Time{}}
	}
}

// ask asks for a session.
func (l *loop) ask(c *client.Client, pooled bool) sink.Handle {
	h := l.give()
	c.OpenSession(h, &client.SessionRequest{Authority: *addr, Path: "/echo", Pooled: pooled})
	return h
}

// give is a handle.
func (l *loop) give() sink.Handle {
	h, ok := l.queue.Give()
	if !ok {
		fail(fmt.Errorf("there is no handle left"))
	}
	return h
}

// done says that something in flight has come to its end.
func (l *loop) done() {
	if l.flight--; l.flight == 0 {
		l.idle <- struct{}{}
	}
}

// ended counts an operation, and reports whether there is to be one more.
func (l *loop) ended(begun time.Time) (now time.Time, more bool) {
	now = time.Now()
	l.took = append(l.took, now.Sub(begun))
	return now, now.Before(l.end)
}

// visit opens a session that is closed once it is there.
func (l *loop) visit(v *lane, now time.Time) {
	l.flight++
	v.begun = now
	l.lanes[l.ask(v.client, *mode == "session")] = v
}

// stream sends what comes back.
func (l *loop) stream(v *lane, now time.Time) {
	s := objectOf[*session.Session](l, v.session)
	l.flight++
	v.begun, v.back = now, 0
	h := l.give()
	l.lanes[h] = v
	s.OpenStream(h, false, true)
	st := objectOf[*session.Stream](l, h)
	st.Write(sink.Chunk{Bytes: l.payload, Owner: shared{}})
	st.End()
}

func (l *loop) handle(e *queue.Event) {
	switch e.Type {
	case sink.EventSessionOpened:
		v := l.lanes[e.Object]
		if v == nil { // one that lasts
			l.done()
			return
		}
		delete(l.lanes, e.Object)
		objectOf[*session.Session](l, e.Object).CloseWith(0, "")
		if now, more := l.ended(v.begun); more {
			l.visit(v, now)
		}
		l.done()
	case sink.EventSessionClosed:
		if l.lanes[e.Object] != nil || l.sessions[e.Object] != nil {
			fail(fmt.Errorf("a session has ended: code %d: %s", e.Code, e.Data))
		}
	case sink.EventSessionDatagram:
		l.pong(l.sessions[e.Object], e.Data)
	case sink.EventStreamData:
		if v := l.lanes[e.Object]; v != nil {
			v.back += len(e.Data)
		}
		if st, _ := l.queue.Object(e.Object).(*session.Stream); st != nil {
			st.Consumed(uint64(len(e.Data)))
		}
	case sink.EventStreamEnded:
		v := l.lanes[e.Object]
		delete(l.lanes, e.Object)
		if e.Code != sink.OK || v.back != *size {
			fail(fmt.Errorf("a stream has ended: code %d, %d bytes of %d", e.Code, v.back, *size))
		}
		if now, more := l.ended(v.begun); more {
			l.stream(v, now)
		}
		l.done()
	}
}

// shared owns bytes that nobody has to give back.
type shared struct{}

func (shared) Release([]byte) {}

// objectOf is what a handle names, which must not have ended.
func objectOf[T any](l *loop, h sink.Handle) T {
	value, ok := l.queue.Object(h).(T)
	if !ok {
		fail(fmt.Errorf("handle %d has ended", h))
	}
	return value
}
