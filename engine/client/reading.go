package client

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

const (
	// usualBuffer is what nearly every response fits in.
	usualBuffer = 4 << 10
	// largestPeek is the largest response, body included, that is delivered without a goroutine.
	largestPeek = 16 << 10
	// usualWatch is how long a response is waited for before it gets a goroutine. Behind one that is late, the first bytes of others that are not
	// whole are seen so much later at most.
	usualWatch = 8 * time.Millisecond
)

// Readings are the responses of a connection that are waited for. One that is there as a whole is delivered by the connection's one goroutine for
// them, which QUIC tells of the end of each stream; while there is none, it watches for the first bytes of the oldest. What is not whole then, or
// does not come in time, gets a goroutine of its own.
type readings struct {
	mu          sync.Mutex
	first, last *try         // pending, the oldest first
	ready       []*try       // whose stream has ended
	watched     *quic.Stream // that the goroutine waits for; nil: none
	running     bool

	// Of the goroutine.
	batch  []*try // taken from ready
	peek   []byte
	fields []byte
	event  sink.Event
}

// A reading is what a try knows of it, under the lock of its connection's readings.
type reading struct {
	next, prev *try
	state      readingState
	since      time.Time
}

type readingState uint8

const (
	readingNot     readingState = iota
	readingPending              // neither of these
	readingReady                // in readings.ready
	readingTaken                // by the goroutine, or by one of its own
)

// expect has the response of a try read. Its fetch's lock is held.
func (c *conn) expect(tr *try) {
	rs := &c.readings
	rs.mu.Lock()
	tr.reading = reading{prev: rs.last, state: readingPending, since: time.Now()}
	if rs.last != nil {
		rs.last.reading.next = tr
	} else {
		rs.first = tr
	}
	rs.last = tr
	begin := !rs.running
	rs.running = true
	rs.mu.Unlock()
	if begin {
		c.Spawn("responses", c.readResponses)
	}
	tr.x.S.SetReceiveFinalSizeCallback(tr.hasEnded)
}

// hasEnded is told by QUIC that the server's side of the stream has ended, in whatever way. It must not wait.
func (tr *try) hasEnded(int64) {
	defer sink.Catch("end of a response")
	rs := &tr.c.readings
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if tr.reading.state != readingPending {
		return
	}
	rs.unlink(tr)
	tr.reading.state = readingReady
	rs.ready = append(rs.ready, tr)
	if rs.watched != nil && rs.watched != tr.x.S {
		rs.watched.SetReadDeadline(past)
	}
}

// past is a deadline that ends what waits.
var past = time.Unix(1, 0)

// unlink takes a try out of those that are waited for. rs.mu is held.
func (rs *readings) unlink(tr *try) {
	r := &tr.reading
	if r.prev != nil {
		r.prev.reading.next = r.next
	} else {
		rs.first = r.next
	}
	if r.next != nil {
		r.next.reading.prev = r.prev
	} else {
		rs.last = r.prev
	}
	r.next, r.prev = nil, nil
}

// forgo reports whether nobody reads the response of a try yet: then nobody will. Its fetch's lock is held.
func (c *conn) forgo(tr *try) bool {
	rs := &c.readings
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if tr.reading.state != readingPending {
		return false
	}
	rs.unlink(tr)
	tr.reading.state = readingTaken
	return true
}

// readResponses delivers responses as long as any are waited for.
func (c *conn) readResponses() {
	rs := &c.readings
	if rs.peek == nil {
		rs.peek, rs.fields = make([]byte, usualBuffer), make([]byte, usualBuffer)
	}
	for {
		rs.mu.Lock()
		rs.batch, rs.ready = rs.ready, rs.batch[:0]
		for _, tr := range rs.batch {
			tr.reading.state = readingTaken
		}
		tr := rs.first
		switch {
		case len(rs.batch) > 0:
			rs.mu.Unlock()
			for i, tr := range rs.batch {
				rs.batch[i] = nil
				c.respond(tr, c.client.watch) // all of it is there, unless something was lost on the way
			}
		case tr == nil:
			rs.running = false
			rs.mu.Unlock()
			return
		default:
			rs.watched = tr.x.S
			tr.x.S.SetReadDeadline(tr.reading.since.Add(c.client.watch))
			rs.mu.Unlock()
			if c.watch(tr) {
				c.respond(tr, link.HeaderWait)
			}
		}
	}
}

// watch waits for the first bytes of a response, and reports whether it is to be dealt with now.
func (c *conn) watch(tr *try) bool {
	rs := &c.readings
	_, err := tr.x.S.Peek(rs.peek[:1])
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.watched = nil
	if tr.reading.state != readingPending {
		return false
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && time.Since(tr.reading.since) < c.client.watch {
		return false // another one has ended
	}
	rs.unlink(tr)
	tr.reading.state = readingTaken
	return true
}

// respond delivers a response that is there as a whole within so much time, or leaves it to a goroutine. It was taken.
func (c *conn) respond(tr *try, wait time.Duration) {
	s := tr.x.S
	s.SetReadDeadline(time.Now().Add(wait))
	if !c.deliver(tr) {
		s.SetReadDeadline(time.Time{})
		c.Spawn("response", tr.read)
	}
	rs := &c.readings
	if len(rs.peek) > usualBuffer {
		rs.peek = make([]byte, usualBuffer)
	}
	if len(rs.fields) > usualBuffer {
		rs.fields = make([]byte, usualBuffer)
	}
}

// errNotAtOnce: a stream holds something else than one response that is there as a whole.
var errNotAtOnce = errors.New("not there at once")

// deliver reports false for everything but a response that is there as a whole and as it should be.
func (c *conn) deliver(tr *try) bool {
	rs := &c.readings
	block, body, err := rs.peekResponse(tr.x.S, c.client.limits.Total)
	if err != nil {
		return false
	}
	head, err := wire.DecodeResponse(rs.fields, block, c.client.limits)
	if err == wire.ErrShort {
		rs.fields = make([]byte, c.client.limits.PackedMax())
		head, err = wire.DecodeResponse(rs.fields, block, c.client.limits)
	}
	if err != nil || head.Informational() || head.MetaLen > message.LargestPiece {
		return false
	}
	f := tr.f
	if f.collect == 0 && len(body) > c.client.options.ReceiveWindow || f.collect > 0 && uint64(len(body)) > f.collect {
		return false
	}
	switch bodyless := f.isHead || head.Status == 204 || head.Status == 304; {
	case bodyless && len(body) > 0, !bodyless && head.ContentLength >= 0 && head.ContentLength != int64(len(body)):
		return false
	}
	if tr.tooEarly(head.Status) {
		rs.finish(tr.x.S)
		f.mu.Lock()
		f.running--
		f.unlock()
		return true
	}
	r := response{tr: tr, total: uint64(len(body))}
	c.Stats.Add(sink.StatBodyBytesIn, r.total)
	c.Account()
	rs.event = sink.Event{Type: sink.EventResponse, Flags: sink.FlagEnd | tr.earlyFlag(), Status: uint32(head.Status), MetaLen: uint32(head.MetaLen), DataLen: uint32(len(body)),
		Aux: tr.x.ID()}
	told := r.told(&rs.event, rs.fields[:head.MetaLen], body) == nil
	rs.finish(tr.x.S)
	f.mu.Lock()
	if told && tr.current() {
		tr.received = true
		tr.finish()
	}
	f.running--
	f.unlock()
	return true
}

// finish reads a stream to its end, all of which is there.
func (rs *readings) finish(s *quic.Stream) {
	s.SetReadDeadline(time.Time{}) // one that has passed meanwhile fails even where data is there
	for {
		if _, err := s.Read(rs.peek); err != nil {
			return
		}
	}
}

// peekResponse looks for a HEADERS frame, at most one DATA frame, and the end of the stream, and consumes nothing.
func (rs *readings) peekResponse(s *quic.Stream, largestHead int) (block, body []byte, err error) {
	if _, err = s.Peek(rs.peek[:3]); err != nil || rs.peek[0] != wire.FrameHeaders {
		return nil, nil, errNotAtOnce
	}
	width := 1 << (rs.peek[1] >> 6)
	if width > 2 {
		return nil, nil, errNotAtOnce
	}
	length, _, _ := quicvarint.Parse(rs.peek[1:3])
	begin := 1 + width
	end := begin + int(length)
	if int(length) > largestHead {
		return nil, nil, errNotAtOnce
	}
	// What is likely to be there behind the head is looked at together with it.
	n, err := rs.peekTo(s, end+5)
	if err != nil && err != io.EOF || n < end {
		return nil, nil, errNotAtOnce
	}
	if n == end {
		return rs.peek[begin:end], nil, nil
	}
	if rs.peek[end] != wire.FrameData || n < end+2 {
		return nil, nil, errNotAtOnce
	}
	width = 1 << (rs.peek[end+1] >> 6)
	if width > 4 || n < end+1+width {
		return nil, nil, errNotAtOnce
	}
	length, _, _ = quicvarint.Parse(rs.peek[end+1 : end+1+width])
	data := end + 1 + width
	all := data + int(length)
	if n, err = rs.peekTo(s, all+1); err != io.EOF || n != all {
		return nil, nil, errNotAtOnce
	}
	return rs.peek[begin:end], rs.peek[data:all], nil
}

func (rs *readings) peekTo(s *quic.Stream, n int) (int, error) {
	if n > len(rs.peek) {
		if n > largestPeek {
			return 0, errNotAtOnce
		}
		rs.peek = make([]byte, largestPeek)
		// What was there is still to be read: peeking again gives all of it.
	}
	return s.Peek(rs.peek[:n])
}
