package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"zigh3/engine/sink"
)

// patient makes a fixture whose connections watch for responses until they come.
func patient(t *testing.T, options string) *fixture {
	f := newFixture(t, options)
	f.client.watch = time.Hour
	return f
}

// alone reports whether the response of a fetch had a goroutine of its own; x is that fetch.
func (f *fixture) alone(x *Fetch) (had bool) {
	f.Await(func() {
		x.mu.Lock()
		had = x.first.in.Done() != nil
		x.mu.Unlock()
	})
	return had
}

// object is the fetch itself, which the server has not answered yet.
func (a *asked) object() (x *Fetch) {
	a.f.Await(func() { x = a.f.fetch(a.h) })
	return x
}

// Responses that are there as a whole, in any order, need no goroutine each, whatever is asked for before them and does not come.
func TestWholeResponsesHaveNoGoroutine(t *testing.T) {
	h := holdRequests(t, 100)
	f := patient(t, `{"max_connections_per_origin": 1}`)
	silent := f.startGet(h.addr)
	first := h.next()
	var all []*asked
	var fetches [20]*Fetch
	var held []*heldRequest
	for i := range fetches {
		all = append(all, f.startGet(h.addr))
		fetches[i] = all[i].object()
		held = append(held, h.next())
	}
	slices.Reverse(held)
	for _, r := range held {
		r.answer()
	}
	for i, a := range all {
		if a.wait(); a.end.Code != sink.OK || string(a.body) != "0" {
			t.Errorf("%v", a)
		}
		if f.alone(fetches[i]) {
			t.Errorf("response %d had a goroutine", i)
		}
	}
	first.answer()
	if silent.wait(); silent.end.Code != sink.OK {
		t.Errorf("%v", silent)
	}
}

// What may be delivered without a goroutine, and what may not, comes out the same.
func TestWholeResponsesAndOthers(t *testing.T) {
	head, info := headers(":status", "200", "a", "b"), headers(":status", "103")
	grease := frame(0x21, "xx")
	long := strings.Repeat("x", largestPeek+1)
	for _, c := range []struct {
		name  string
		bytes []byte
		body  string
		alone bool
	}{
		{"a head", head, "", false},
		{"a body", join(head, data("abc")), "abc", false},
		{"an empty body", join(head, data("")), "", false},
		{"a long head", join(headers(":status", "200", "a", "b", "l", strings.Repeat("y", 5000)), data("abc")), "abc", false},
		{"as much as is peeked at", join(head, data(long[:largestPeek-200])), long[:largestPeek-200], false},
		{"more", join(head, data(long)), long, true},
		{"two DATA frames", join(head, data("a"), data("bc")), "abc", true},
		{"trailers", join(head, data("a"), headers("x", "y")), "a", true},
		{"trailers alone", join(head, headers("x", "y")), "", true},
		{"informational", join(info, head, data("a")), "a", true},
		{"an unknown frame", join(grease, head, data("a")), "a", true},
		{"an unknown frame behind", join(head, data("a"), grease), "a", true},
		{"a length of eight bytes", join(head, []byte{0, 0xc0, 0, 0, 0, 0, 0, 0, 1, 'a'}), "a", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := holdRequests(t, 100)
			f := patient(t, "")
			a := f.startGet(h.addr)
			x := a.object()
			r := h.next()
			r.s.Write(c.bytes)
			r.s.Close()
			if a.wait(); a.end.Code != sink.OK || a.status != 200 || string(a.body) != c.body || !strings.HasPrefix(a.fields, "a=b") {
				t.Errorf("%v", a)
			}
			if alone := f.alone(x); c.alone && !alone {
				t.Error("it had no goroutine")
			}
		})
	}
}

// A response that goes on is told of as far as it has come, though an older one is silent.
func TestAResponseThatGoesOnBehindASilentOne(t *testing.T) {
	h := holdRequests(t, 100)
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	silent := f.startGet(h.addr)
	first := h.next()
	came := make(chan string, 10)
	a := f.start(Request{Method: "GET", Authority: h.addr, Path: "/", End: true}, func(a *asked) {
		a.on = func(e event) {
			if e.Type == sink.EventResponse || e.Type == sink.EventBody {
				came <- fmt.Sprint(e.Status, string(e.Data))
			}
		}
	})
	second := h.next()
	second.s.Write(headers(":status", "200"))
	if got := within(t, "the head", came); got != "200" {
		t.Errorf("%q", got)
	}
	for _, part := range []string{"one", "two"} {
		second.s.Write(data(part))
		if got := within(t, "a part", came); got != "0"+part {
			t.Errorf("%q", got)
		}
	}
	second.s.Close()
	if a.wait(); a.end.Code != sink.OK || string(a.body) != "onetwo" {
		t.Errorf("%v", a)
	}
	first.answer()
	silent.wait()
}

// Whatever ends a fetch whose response is waited for ends it at once.
func TestAFetchThatEndsWhileItsResponseIsWaitedFor(t *testing.T) {
	h := holdRequests(t, 100)
	f := patient(t, `{"max_connections_per_origin": 1}`)
	var all []*asked
	for range 3 {
		all = append(all, f.startGet(h.addr))
		h.next()
	}
	for _, i := range []int{1, 0, 2} { // one behind that which is watched, and that
		all[i].do(func(x *Fetch) { x.Cancel(0x10c) })
		if all[i].wait(); all[i].end.Code != sink.ErrCancelled {
			t.Errorf("%v", all[i])
		}
	}
	limited := f.start(Request{Method: "GET", Authority: h.addr, Path: "/", End: true, RequestTimeout: 20 * time.Millisecond})
	h.next()
	if limited.wait(); limited.end.Code != sink.ErrTimeout {
		t.Errorf("%v", limited)
	}
	reset := f.startGet(h.addr)
	r := h.next()
	r.s.CancelWrite(0x102)
	if reset.wait(); reset.end.Code != sink.ErrReset || reset.end.Aux != 0x102 {
		t.Errorf("%v", reset)
	}
	last := f.startGet(h.addr)
	h.next()
	r.conn.CloseWithError(0x102, "no more")
	if last.wait(); last.end.Code != sink.ErrClosed {
		t.Errorf("%v", last)
	}
}

// The end of a stream may come before bytes that were lost on the way.
func TestTheEndComesFirst(t *testing.T) {
	h := holdRequests(t, 100)
	way := newRelay(t, h.addr)
	f := newFixture(t, `{"hosts": {"good.test": "`+way.addr+`"}}`)
	for n := range 20 {
		a := f.start(Request{Method: "GET", Authority: "good.test", Path: "/", End: true})
		r := h.next()
		way.lose(func(i int) bool { return n > 0 && i%4 == n%4 })
		r.s.Write(join(headers(":status", "200"), data(strings.Repeat("x", 8<<10))))
		r.s.Close()
		if a.wait(); a.end.Code != sink.OK || len(a.body) != 8<<10 {
			t.Fatalf("%v", a.end)
		}
	}
}
