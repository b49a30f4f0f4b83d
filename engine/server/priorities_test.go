package server

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A slowPath is a connection whose client has little credit for all responses together, so that what the server sends first is what it prefers.
type slowPath struct {
	*fixture
	t       *testing.T
	client  *enginetest.Client
	arrived chan event
}

const (
	raceLength = 512 << 10
	raceWindow = 32 << 10
)

func newSlowPath(t *testing.T, options string) *slowPath {
	p := &slowPath{t: t, arrived: make(chan event, 16)}
	p.fixture = serve(t, options, 0, func(_ *consumer, e event) {
		if e.Type == sink.EventRequest {
			p.arrived <- e
		}
	})
	p.client = enginetest.Dial(t, p.addr, enginetest.Options{Datagrams: offersDatagram, StreamWindow: 2 * raceLength, ConnWindow: raceWindow})
	return p
}

// ask asks for one of the two responses; priority "": none is given.
func (p *slowPath) ask(priority string) *enginetest.RequestStream {
	p.t.Helper()
	r := p.client.OpenRequest()
	var fields []string
	if priority != "" {
		fields = []string{"priority", priority}
	}
	if err := r.SendRequest("GET", "/", fields...); err != nil {
		p.t.Fatal(err)
	}
	r.Close()
	return r
}

// race answers two requests, the first one first, and says who is through before the other has half: "first", "second", or "together".
func (p *slowPath) race(first, second *enginetest.RequestStream) string {
	p.t.Helper()
	var events [2]event
	for range events {
		e := within(p.t, "a request", p.arrived)
		if e.Aux == first.ID() {
			events[0] = e
		} else {
			events[1] = e
		}
	}
	p.Do(func() {
		for _, e := range events {
			p.request(e.Object).Send(200, nil, sink.Chunk{Bytes: pattern(raceLength)}, false)
		}
	})
	// Read by turns and little at a time: what comes then is what the server prefers, however quick its goroutines are, and whichever of them
	// a busy machine lets begin first.
	streams, got := [2]*enginetest.RequestStream{first, second}, [2]int{}
	who := ""
	for open, end := 2, time.Now().Add(patience); open > 0; {
		if time.Now().After(end) {
			p.t.Fatalf("read %v", got)
		}
		for i, r := range streams {
			if r == nil {
				continue
			}
			r.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := r.Stream.Read(make([]byte, raceWindow/32))
			got[i] += n
			switch {
			case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
				continue
			case err != io.EOF:
				p.t.Fatal(err)
			}
			if streams[i], open = nil, open-1; open == 0 {
				break
			}
			who = []string{"first", "second"}[i]
			if got[1-i] >= raceLength/2 {
				who = "together"
			}
		}
	}
	return who
}

// kept are the streams whose updates are kept.
func (p *slowPath) kept() (ids []uint64) {
	conns := p.server.running.open(nil)
	if len(conns) != 1 {
		return nil
	}
	q := &conns[0].priorities
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, u := range q.list {
		ids = append(ids, u.ID)
	}
	return ids
}

// keeps waits until updates for these streams are kept, which tells that those before them were read.
func (p *slowPath) keeps(ids ...uint64) {
	p.t.Helper()
	eventually(p.t, "updates that are kept", func() bool { return slices.Equal(p.kept(), ids) })
}

// later is a stream that no request here has.
const later = 400

func TestPriorityOfRequests(t *testing.T) { withAndWithoutDatagram(t, testPriorityOfRequests) }

func testPriorityOfRequests(t *testing.T) {
	for _, c := range []struct{ first, second, want string }{
		{"", "", "together"},
		{"u=3", "u=3", "first"},
		{"u=3, i", "u=3, i", "together"},
		{"u=5", "u=1", "second"},
		{"u=5, i", "u=1, i", "second"},
		{"u=1", "u=5", "first"},
		{"", "u=2", "second"},
		{"u=4", "", "second"},
		{"u=9, i=7", "nonsense!", "together"},
	} {
		p := newSlowPath(t, "")
		if who := p.race(p.ask(c.first), p.ask(c.second)); who != c.want {
			t.Errorf("%q and %q: %s, want %s", c.first, c.second, who, c.want)
		}
	}
}

func TestPriorityUpdateOfAnOpenRequest(t *testing.T) {
	withAndWithoutDatagram(t, testPriorityUpdateOfAnOpenRequest)
}

func testPriorityUpdateOfAnOpenRequest(t *testing.T) {
	for _, c := range []struct{ first, second, update, want string }{
		{"u=3", "u=3", "u=0", "second"},
		{"u=3", "u=1", "u=7", "first"},
		{"u=1", "u=1", "u=5", "first"},
		{"u=3", "u=1", "", "together"}, // as if none had been given
	} {
		p := newSlowPath(t, "")
		first, second := p.ask(c.first), p.ask(c.second)
		eventually(t, "both requests", func() bool { return len(p.arrived) == 2 })
		p.client.SendPriorityUpdate(second.ID(), c.update)
		p.client.SendPriorityUpdate(later, "u=3")
		p.keeps(later)
		if who := p.race(first, second); who != c.want {
			t.Errorf("%+v: %s", c, who)
		}
	}
}

func TestPriorityUpdateBeforeItsRequest(t *testing.T) {
	withAndWithoutDatagram(t, testPriorityUpdateBeforeItsRequest)
}

func testPriorityUpdateBeforeItsRequest(t *testing.T) {
	p := newSlowPath(t, "")
	p.client.SendPriorityUpdate(4, "u=6")
	p.client.SendPriorityUpdate(4, "u=0")
	p.client.SendPriorityUpdate(later, "u=3")
	p.keeps(4, later)
	if who := p.race(p.ask("u=1"), p.ask("u=7")); who != "second" {
		t.Error(who)
	}
	p.keeps(later)
}

// A request whose header block is still on its way is known to nobody yet, but its stream has come.
func TestPriorityUpdateAmidARequest(t *testing.T) {
	withAndWithoutDatagram(t, testPriorityUpdateAmidARequest)
}

func testPriorityUpdateAmidARequest(t *testing.T) {
	p := newSlowPath(t, "")
	first, second := p.ask("u=1"), p.client.OpenRequest()
	head := request("GET", "/", "priority", "u=7")
	if err := second.WriteRaw(head[:10]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream", func() bool {
		conns := p.server.running.open(nil)
		return len(conns) == 1 && conns[0].Next() == 8 && conns[0].Coming() && !conns[0].Taking()
	})
	p.client.SendPriorityUpdate(first.ID(), "u=1") // of one that is known there is nothing to keep
	p.client.SendPriorityUpdate(4, "u=0")
	p.keeps(4)
	if err := second.WriteRaw(head[10:]); err != nil {
		t.Fatal(err)
	}
	second.Close()
	if who := p.race(first, second); who != "second" {
		t.Error(who)
	}
	p.keeps()
}

func TestPriorityUpdateOfAnEndedRequest(t *testing.T) {
	withAndWithoutDatagram(t, testPriorityUpdateOfAnEndedRequest)
}

func testPriorityUpdateOfAnEndedRequest(t *testing.T) {
	p := newSlowPath(t, "")
	p.race(p.ask(""), p.ask(""))
	eventually(t, "the end of both", func() bool { return p.stats[sink.StatRequestsActive].Load() == 0 })
	p.client.SendPriorityUpdate(0, "u=1")
	p.client.SendPriorityUpdate(4, "u=1")
	p.client.SendPriorityUpdate(later, "u=1")
	p.keeps(later)
	if who := p.race(p.ask("u=3"), p.ask("u=3")); who != "first" {
		t.Error(who)
	}
}

func TestPriorityUpdatesThatAreKeptAreBounded(t *testing.T) {
	withAndWithoutDatagram(t, testPriorityUpdatesThatAreKeptAreBounded)
}

func testPriorityUpdatesThatAreKeptAreBounded(t *testing.T) {
	p := newSlowPath(t, "")
	var want []uint64
	for id := uint64(0); id < 4*(mostPriorities+1); id += 4 {
		p.client.SendPriorityUpdate(id, "u=1")
		want = append(want, id)
	}
	p.keeps(want[1:]...)
	p.client.SendPriorityUpdate(later, "u=1")
	p.keeps(append(want[2:], later)...)
}

func TestPriorityUpdatesThatMayNotBe(t *testing.T) {
	withAndWithoutDatagram(t, testPriorityUpdatesThatMayNotBe)
}

func testPriorityUpdatesThatMayNotBe(t *testing.T) {
	streams := 4
	if offersDatagram {
		streams += 2 // what sessions may have adds to it
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"of a push", frame(enginetest.FramePriorityUpdatePush, 0, "u=1"), "H3_ID_ERROR"},
		{"beyond the limit", frame(enginetest.FramePriorityUpdateRequest, 4*streams, "u=1"), "H3_ID_ERROR"},
		{"of a stream that is no request's", frame(enginetest.FramePriorityUpdateRequest, 2, "u=1"), "H3_ID_ERROR"},
		{"without a stream", frame(enginetest.FramePriorityUpdateRequest), "H3_FRAME_ERROR"},
	} {
		p := newSlowPath(t, `{"max_incoming_streams": 4, "webtransport": {"max_streams_bidi": 2}}`)
		p.client.SendPriorityUpdate(uint64(4*(streams-1)), "u=1")
		p.keeps(uint64(4 * (streams - 1)))
		p.client.SendControl(c.frame)
		if end := p.client.Closed(); !strings.Contains(end, c.want) {
			t.Errorf("%s: %s, want %s", c.name, end, c.want)
		}
	}
}
