package datagram

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/link"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A fakeSink keeps events, has room for as many datagrams as it is told, and fails the test when the engine breaks a promise.
type fakeSink struct {
	t testing.TB

	mu       sync.Mutex
	room     int    // datagrams that may be emitted
	onFull   func() // called, once, when there is no room for one
	freeing  chan struct{}
	bulk     chan struct{} // closed when there is room for bulk; nil: there is
	reserved int
	events   []gotten
	lost     map[sink.EventType]uint64
	limits   map[sink.Handle]int
	places   map[sink.Handle]int
	calls    int // of Datagrams
	stale    map[sink.Handle]bool
	quiet    bool // keeps nothing
	last     sink.Handle
}

type gotten struct {
	sink.Event
	data string
}

func newSink(t testing.TB) *fakeSink {
	return &fakeSink{t: t, room: 1 << 30, lost: map[sink.EventType]uint64{}, limits: map[sink.Handle]int{}, places: map[sink.Handle]int{},
		stale: map[sink.Handle]bool{}, last: 100}
}

func (k *fakeSink) Issue(sink.Kind, sink.Handle, any) (sink.Handle, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last++
	return k.last, true
}

func (k *fakeSink) Release(h sink.Handle) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale[h] = true
	return true
}

func (k *fakeSink) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	k.mu.Lock()
	wait := k.bulk
	k.mu.Unlock()
	if class == sink.Bulk && wait != nil {
		select {
		case <-wait:
		case <-done:
			return sink.Record{}, false
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if class == sink.Patient {
		if k.room == 0 {
			if then := k.onFull; then != nil {
				k.onFull = nil
				k.mu.Unlock()
				then()
				k.mu.Lock()
			}
			return sink.Record{}, false
		}
		k.room--
	}
	k.reserved++
	if k.quiet {
		return sink.Record{Payload: scratch[:n]}, true
	}
	return sink.Record{Payload: make([]byte, n)}, true
}

var scratch [2 << 10]byte

func (k *fakeSink) Commit(r sink.Record, ev *sink.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reserved--
	if !k.quiet {
		k.events = append(k.events, gotten{*ev, string(r.Payload[:ev.DataLen])})
	}
}

func (k *fakeSink) Abort(sink.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reserved--
}

func (k *fakeSink) Room() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.freeing == nil {
		k.freeing = make(chan struct{})
	}
	return k.freeing
}

func (k *fakeSink) Lose(t sink.EventType, n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost[t] += n
}

func (k *fakeSink) Datagrams(h sink.Handle, limit, returned int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stale[h] {
		k.t.Errorf("datagrams of %d, which was released", h)
	}
	k.limits[h] = limit
	k.places[h] += returned
	k.calls++
}

func (k *fakeSink) Stalled() bool                                { return false }
func (k *fakeSink) Drained(sink.Handle, int)                     {}
func (k *fakeSink) IssueFor(sink.Handle, any) bool               { return false }
func (k *fakeSink) Offered(sink.Handle, []string)                {}
func (k *fakeSink) SessionStats(sink.Handle, *sink.SessionStats) {}

// setRoom sets how many datagrams may be emitted from now on.
func (k *fakeSink) setRoom(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.room = n
	if k.freeing != nil {
		close(k.freeing)
		k.freeing = nil
	}
}

// stall lets bulk wait until it is called again, with false.
func (k *fakeSink) stall(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if on {
		k.bulk = make(chan struct{})
	} else {
		close(k.bulk)
		k.bulk = nil
	}
}

// data are the payloads of an object's events of a type.
func (k *fakeSink) data(typ sink.EventType, h sink.Handle) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	for _, e := range k.events {
		if e.Type == typ && e.Object == h {
			all = append(all, e.data)
		}
	}
	return all
}

// dropped are the DATAGRAMS_DROPPED of an object: reason and number.
func (k *fakeSink) dropped(h sink.Handle) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	for _, e := range k.events {
		if e.Type == sink.EventDatagramsDropped && e.Object == h {
			all = append(all, fmt.Sprintf("%d x%d", e.Code, e.Aux))
		}
	}
	return strings.Join(all, ", ")
}

func (k *fakeSink) sendable(h sink.Handle) (limit, places int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.limits[h], k.places[h]
}

// A fakeQUIC takes what is sent while its gate is open.
type fakeQUIC struct {
	mu    sync.Mutex
	gate  sync.Cond
	shut  bool
	wants int // calls that wait, or have been let through
	max   int
	err   error
	sent  []string
}

func newQUIC() *fakeQUIC {
	q := &fakeQUIC{max: 1200}
	q.gate.L = &q.mu
	return q
}

func (q *fakeQUIC) SendDatagram(p []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(p) > q.max {
		return &quic.DatagramTooLargeError{MaxDatagramPayloadSize: int64(q.max)}
	}
	q.wants++
	for q.shut && q.err == nil {
		q.gate.Wait()
	}
	if q.err == nil {
		q.sent = append(q.sent, string(p))
	}
	return q.err
}

func (q *fakeQUIC) ReceiveDatagram(context.Context) ([]byte, error) {
	return nil, errors.New("not here")
}

func (q *fakeQUIC) open(open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = !open
	q.gate.Broadcast()
}

func (q *fakeQUIC) fail() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = errors.New("gone")
	q.gate.Broadcast()
}

func (q *fakeQUIC) narrow(max int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.max = max
}

func (q *fakeQUIC) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wants - len(q.sent)
}

func (q *fakeQUIC) all() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.sent)
}

// A fixture is flows without a network.
type fixture struct {
	t     testing.TB
	c     link.Conn
	flows Flows
	sink  *fakeSink
	quic  *fakeQUIC
	stats sink.Stats
	done  chan struct{}
}

// plain are options of most tests.
var plain = Options{Incoming: 8, Outgoing: 16, HTTP: true}

func newFixture(t testing.TB, o Options) *fixture {
	f := &fixture{t: t, sink: newSink(t), quic: newQUIC(), done: make(chan struct{})}
	f.c.Env = &link.Env{Parent: 1, Stats: &f.stats, Spares: link.NewSpares()}
	f.c.Sink, f.c.Handle, f.c.Done = f.sink, 2, f.done
	f.flows.init(&f.c, o, f.quic, true)
	t.Cleanup(func() {
		f.flows.Lost()
		f.quic.fail()
	})
	return f
}

// settled is a fixture whose peer announced HTTP's datagrams.
func settled(t testing.TB, o Options) *fixture {
	f := newFixture(t, o)
	f.flows.Settled(true)
	return f
}

// An owner is the request or session of a flow: its lock is held while it ends, and taken to publish.
type owner struct {
	*Flow
	sink   sink.Sink
	handle sink.Handle
	mu     sync.Mutex
	ended  bool
}

func (f *fixture) open(stream uint64, h sink.Handle) *owner { return own(&f.flows, f.sink, stream, h) }

func own(fs *Flows, k sink.Sink, stream uint64, h sink.Handle) *owner {
	o := &owner{sink: k, handle: h}
	o.Flow = fs.Open(stream, sink.Event{Type: sink.EventH3Datagram, Parent: 1, Conn: 2, Status: 7}, o.publish)
	return o
}

func (o *owner) publish(rec sink.Record, ev *sink.Event) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	ev.Object = o.handle
	o.sink.Commit(rec, ev)
	return true
}

func (o *owner) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.Close()
	o.sink.Release(o.handle)
}

// come lets a datagram of a stream come.
func (f *fixture) come(stream uint64, payload string) {
	f.t.Helper()
	if breach := f.flows.came(packed(stream, payload)); breach != nil {
		f.t.Fatal(breach)
	}
}

func packed(stream uint64, payload string) []byte {
	return append(wire.AppendDatagramHeader(nil, stream), payload...)
}

// counts are the counters of what came, and whether they add up.
type counts struct{ in, delivered, ring, early, unknown, internal uint64 }

func count(s *sink.Stats) counts {
	return counts{s[sink.StatDatagramsIn].Load(), s[sink.StatDatagramsDelivered].Load(), s[sink.StatDatagramsDroppedRing].Load(),
		s[sink.StatDatagramsDroppedEarly].Load(), s[sink.StatDatagramsDroppedUnknown].Load(), s[sink.StatDatagramsDroppedInternal].Load()}
}

func (c counts) sum() uint64 { return c.delivered + c.ring + c.early + c.unknown + c.internal }

func (f *fixture) expect(want counts) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("%+v, not %+v", want, count(&f.stats)), func() bool { return count(&f.stats) == want })
}

func number(i int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(i))) }

func numbers(list []string) []int {
	var all []int
	for _, s := range list {
		all = append(all, int(binary.BigEndian.Uint32([]byte(s))))
	}
	return all
}

func upTo(from, to int) []int {
	var all []int
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}
