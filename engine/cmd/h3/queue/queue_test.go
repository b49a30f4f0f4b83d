package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"zigh3/engine/sink"
)

// run runs the loop until do has returned, and gives the data of the events that it has handled.
func run(q *Queue, do func()) (handled []string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(func(e *Event) { handled = append(handled, string(e.Meta)+"|"+string(e.Data)) })
	}()
	do()
	q.Stop()
	<-done
	return handled
}

// put reserves a record and fills it.
func put(t *testing.T, q *Queue, class sink.Class, meta, data string) (sink.Record, *sink.Event) {
	t.Helper()
	r, ok := q.Reserve(class, sink.PayloadSize(len(meta), len(data)), nil)
	if !ok {
		t.Fatal("there is no room")
	}
	copy(r.Payload, meta)
	copy(r.Payload[sink.DataOffset(len(meta)):], data)
	return r, &sink.Event{MetaLen: uint32(len(meta)), DataLen: uint32(len(data))}
}

// Events come in the order in which they were reserved, whatever that of their commits.
func TestEventsComeAsTheyWereReserved(t *testing.T) {
	q := New()
	got := run(q, func() {
		a, first := put(t, q, sink.Bulk, "m", "a")
		b, second := put(t, q, sink.Terminal, "", "b")
		c, _ := put(t, q, sink.Bulk, "", "never")
		d, third := put(t, q, sink.Bulk, "meta", strings.Repeat("d", 5000))
		q.Commit(d, third)
		q.Commit(b, second)
		q.Commit(a, first)
		q.Abort(c)
	})
	if want := fmt.Sprint([]string{"m|a", "|b", "meta|" + strings.Repeat("d", 5000)}); fmt.Sprint(got) != want {
		t.Errorf("%.80v, want %.80v", got, want)
	}
}

// Bulk waits while too much of it is queued, and gives up with its producer; what is terminal never waits.
func TestBulkWaitsForRoom(t *testing.T) {
	q := New()
	var records []sink.Record
	const n = bulkBytes / (64 << 10)
	for range n {
		r, _ := put(t, q, sink.Bulk, "", strings.Repeat("x", 64<<10))
		records = append(records, r)
	}
	done := make(chan struct{})
	close(done)
	if _, ok := q.Reserve(sink.Bulk, 1, done); ok {
		t.Fatal("there is room beyond the bound")
	}
	put(t, q, sink.Terminal, "", "end")
	came := make(chan bool)
	go func() {
		_, ok := q.Reserve(sink.Bulk, 64<<10, nil)
		came <- ok
	}()
	handled := 0
	go q.Run(func(*Event) { handled++ })
	select {
	case <-came:
		t.Fatal("there is room before anything was handled")
	default:
	}
	q.Commit(records[0], &sink.Event{})
	if !<-came {
		t.Error("the wait was in vain")
	}
	q.Stop()
}

// Datagrams and log lines have places of their own, which handling them frees.
func TestLossyAndPatientEventsAreBounded(t *testing.T) {
	for class, places := range map[sink.Class]int{sink.Patient: patientRecords, sink.Lossy: lossyRecords} {
		q := New()
		var records []sink.Record
		for {
			r, ok := q.Reserve(class, 10, nil)
			if !ok {
				break
			}
			records = append(records, r)
		}
		if len(records) != places {
			t.Errorf("class %d: %d records, want %d", class, len(records), places)
		}
		room := q.Room()
		for _, r := range records {
			q.Commit(r, &sink.Event{})
		}
		run(q, func() {})
		if class == sink.Patient {
			<-room
		}
		if _, ok := q.Reserve(class, 10, nil); !ok {
			t.Errorf("class %d: there is no room though all were handled", class)
		}
	}
}

func TestHandlesNameOneObject(t *testing.T) {
	q := New()
	a, _ := q.Issue(sink.KindRequest, 0, "a")
	if q.Object(a) != "a" || !q.Release(a) || q.Object(a) != nil {
		t.Error("a handle does not name its object, or does so behind its end")
	}
	b, _ := q.Issue(sink.KindRequest, 0, "b")
	if b == a || q.Object(a) != nil || q.Object(b) != "b" {
		t.Errorf("%d and %d name %v and %v", a, b, q.Object(a), q.Object(b))
	}
	c, _ := q.Give()
	if q.Object(c) != nil || !q.IssueFor(c, "c") || q.IssueFor(c, "d") || q.Object(c) != "c" || q.IssueFor(b, "e") || q.IssueFor(0, "f") || q.IssueFor(99, "g") {
		t.Error("a handle that was given is not bound once, or another is")
	}
}

func TestPlacesOfDatagrams(t *testing.T) {
	q := New()
	h, _ := q.Issue(sink.KindSession, 0, "s")
	if p, _, _ := q.TakePlace(h, 1); p != Gone {
		t.Errorf("%d before there are any", p)
	}
	q.Datagrams(h, 100, 1)
	if p, limit, _ := q.TakePlace(h, 101); p != TooLong || limit != 100 {
		t.Errorf("%d, at most %d", p, limit)
	}
	if p, _, _ := q.TakePlace(h, 100); p != Taken {
		t.Errorf("%d", p)
	}
	p, _, more := q.TakePlace(h, 1)
	if p != Full {
		t.Fatalf("%d", p)
	}
	q.Datagrams(h, 90, 1)
	<-more
	if p, _, _ := q.TakePlace(h, 1); p != Taken {
		t.Errorf("%d", p)
	}
	_, _, more = q.TakePlace(h, 1)
	q.Release(h)
	<-more
	if p, _, _ := q.TakePlace(h, 1); p != Gone {
		t.Errorf("%d behind its end", p)
	}
}

// A feed has no more on its way than its pieces, and says how it has ended.
func TestFeedWaitsForItsPieces(t *testing.T) {
	for _, c := range []struct {
		name string
		from io.Reader
		all  int64
		want string
	}{
		{"all there is", bytes.NewReader(make([]byte, 20*feedBytes+1)), -1, "1310721 <nil>"},
		{"so much", bytes.NewReader(make([]byte, 20*feedBytes)), 10, "10 <nil>"},
		{"less than that", strings.NewReader("abc"), 10, "3 " + ErrShrunk.Error()},
		{"nothing", strings.NewReader(""), 0, "0 <nil>"},
		{"an error", io.MultiReader(strings.NewReader("abc"), errorReader{}), -1, "3 broken"},
	} {
		q := New()
		n, on := 0, 0
		q.Do(func() {
			q.Feed(c.from, c.all, func(piece sink.Chunk) {
				n += len(piece.Bytes)
				if on++; on > feedPieces {
					t.Errorf("%s: %d pieces are on their way", c.name, on)
				}
				q.Do(func() { on--; piece.Release() })
			}, func(err error) {
				if got := fmt.Sprint(n, " ", err); got != c.want {
					t.Errorf("%s: %s, want %s", c.name, got, c.want)
				}
				q.Stop()
			})
		})
		q.Run(func(*Event) {})
	}
	// With nothing given back it stands still; stopped, it writes no more.
	q := New()
	var f *Feed
	written := make(chan sink.Chunk, 100)
	q.Do(func() {
		f = q.Feed(bytes.NewReader(make([]byte, 100*feedBytes)), -1, func(piece sink.Chunk) { written <- piece }, func(error) { t.Error("a stopped feed has an end") })
	})
	go q.Run(func(*Event) {})
	var held []sink.Chunk
	for range feedPieces {
		held = append(held, <-written)
	}
	if len(f.free) != 0 {
		t.Errorf("%d pieces are free", len(f.free))
	}
	stopped := make(chan struct{})
	q.Do(func() { f.Stop(); close(stopped) })
	<-stopped
	for i := range held {
		held[i].Release()
	}
	q.Stop()
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
