package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// updates gives the PRIORITY_UPDATE frames on the client's control stream: the stream's id and the priority.
func (c *rawConn) updates() <-chan string {
	got := make(chan string, 100)
	go func() {
		for {
			s, err := c.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			in := bufio.NewReader(s)
			if typ, err := quicvarint.Read(in); err != nil || typ != 0 {
				continue
			}
			for {
				typ, err := quicvarint.Read(in)
				if err != nil {
					break
				}
				length, _ := quicvarint.Read(in)
				payload := make([]byte, length)
				io.ReadFull(in, payload)
				if typ == wire.FramePriorityUpdateRequest {
					id, n, _ := quicvarint.Parse(payload)
					got <- fmt.Sprint(id, " ", string(payload[n:]))
				}
			}
		}
	}()
	return got
}

// prioritiesOf are the values of the field priority in a head: names and values in turn.
func prioritiesOf(head []string) string {
	var values []string
	for i := 0; i < len(head); i += 2 {
		if head[i] == "priority" {
			values = append(values, head[i+1])
		}
	}
	return strings.Join(values, "|")
}

// A fetch's priority is a field of its request, the consumer's own unless the fetch says another.
func TestPriorityOfARequest(t *testing.T) {
	heads := make(chan []string, 10)
	r := listenRaw(t, nil, func(c *rawConn) {
		c.settle()
		for {
			s, head := c.nextHead()
			if s == nil {
				return
			}
			heads <- head
			s.Write(headers(":status", "200"))
			s.Close()
		}
	})
	f := newFixture(t, "")
	for _, c := range []struct {
		request Request
		want    string
	}{
		{Request{}, ""},
		{Request{HasPriority: true, Priority: wire.Priority{Urgency: 1, Incremental: true}}, "u=1, i"},
		{Request{HasPriority: true, Priority: wire.DefaultPriority}, "u=3, i=?0"},
		{Request{Headers: fields("priority", "u=2;x, y")}, "u=2;x, y"},
		{Request{HasPriority: true, Headers: fields("a", "b", "priority", "u=2")}, "u=0, i=?0"},
	} {
		q := c.request
		q.Method, q.Authority, q.Path, q.End = "GET", r.addr, "/", true
		if a := f.start(q).wait(); a.end.Code != sink.OK {
			t.Fatalf("%v", a)
		}
		if got := prioritiesOf(within(t, "a head", heads)); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

// A priority that changes is told in PRIORITY_UPDATE once the request is on its stream, and goes out with one that waits.
func TestPriorityThatChanges(t *testing.T) {
	type one struct {
		request *heldRequest
		head    []string
	}
	requests := make(chan one, 10)
	updates := make(chan (<-chan string), 1)
	r := listenRaw(t, &quic.Config{MaxIncomingStreams: 1}, func(c *rawConn) {
		c.settle()
		updates <- c.updates()
		for {
			s, head := c.nextHead()
			if s == nil {
				return
			}
			requests <- one{&heldRequest{c, s}, head}
		}
	})
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	first := f.startGet(r.addr)
	held := within(t, "a request", requests)
	told := within(t, "a connection", updates)
	second := f.start(Request{Method: "GET", Authority: r.addr, Path: "/", End: true, HasPriority: true, Priority: wire.Priority{Urgency: 5}})
	second.do(func(x *Fetch) { x.Prioritize(wire.Priority{Urgency: 6, Incremental: true}) })
	first.do(func(x *Fetch) {
		x.Prioritize(wire.Priority{Urgency: 0})
		x.Prioritize(wire.Priority{Urgency: 7, Incremental: true})
	})
	for _, want := range []string{"0 u=0, i=?0", "0 u=7, i"} {
		if got := within(t, "PRIORITY_UPDATE", told); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	held.request.answer()
	first.wait()
	held = within(t, "a request", requests)
	if got := prioritiesOf(held.head); got != "u=6, i" {
		t.Errorf("%q", got)
	}
	held.request.answer()
	if second.wait(); second.end.Code != sink.OK {
		t.Errorf("%v", second)
	}
	select {
	case got := <-told:
		t.Errorf("one more: %q", got)
	default:
	}
}

// A head with another priority is as one that had it from the start, and counts as that.
func TestAHeadWithAnotherPriority(t *testing.T) {
	request := Request{Method: "GET", Authority: "a.test", Path: "/", Headers: fields("a", "b", "priority", "u=2;x, y", "c", "d")}
	packed, size, err := request.head()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []wire.Priority{{Urgency: 6, Incremental: true}, {Urgency: 0}} {
		packed, size = reprioritize(packed, size, p)
		other := request
		other.Priority, other.HasPriority = p, true
		want, wantSize, err := other.head()
		if err != nil {
			t.Fatal(err)
		}
		if list(packed) != list(want) || size != wantSize {
			t.Errorf("%q of %d, not %q of %d", list(packed), size, list(want), wantSize)
		}
	}
}
