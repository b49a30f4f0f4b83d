package client

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zigh3/engine/sink"
)

// F01: methods, fields, queries and bodies reach a server as they were given, and its answers the consumer.
func TestF01_MethodsFieldsBodies(t *testing.T) {
	p := serve(t, "", buffered, echo)
	f := newFixture(t, "")
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/a?b=c&d", "", "/a?b=c&d"},
		{"GET", "", "", "/"},
		{"HEAD", "/h", "", "/h"},
		{"POST", "/p", "some body", "/p"},
		{"PUT", "/p", strings.Repeat("0123456789abcdef", 4<<10), "/p"},
		{"DELETE", "/d", "", "/d"},
		{"PATCH", "/p", "", "/p"},
		{"OPTIONS", "*", "", "*"},
		{"x-own", "/", "", "/"},
	} {
		a := f.start(Request{Method: c.method, Authority: p.addr, Path: c.path, Headers: fields("x-ask", "why"), Body: chunk(c.body), End: true, UserData: 3}).wait()
		body := c.body
		if c.method == "HEAD" {
			body = ""
		}
		if a.end.Code != sink.OK || a.status != 200 || string(a.body) != body || !strings.Contains(a.fields, "x-method="+c.method+"|x-path="+c.want+"|x-answer=why") {
			t.Errorf("%s %s: %v", c.method, c.path, a)
		}
		if a.end.Status != 200 || a.end.UserData != 3 || a.end.Conn == 0 || a.end.Parent != 1<<41 {
			t.Errorf("%s: %+v", c.method, a.end.Event)
		}
	}
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if n := f.stats[sink.ClientStatFetchesReused].Load(); n != 8 {
		t.Errorf("%d fetches found their connection there", n)
	}
}

// What is no request ends with its own code, and nothing is sent.
func TestFetchesThatCannotBe(t *testing.T) {
	f := newFixture(t, "")
	for name, c := range map[string]struct {
		r    Request
		code sink.Code
	}{
		"no method":           {Request{Authority: "a"}, sink.ErrInvalidArgument},
		"a bad method":        {Request{Method: "G T", Authority: "a"}, sink.ErrInvalidArgument},
		"CONNECT":             {Request{Method: "CONNECT", Authority: "a"}, sink.ErrInvalidArgument},
		"no host":             {Request{Method: "GET"}, sink.ErrBadURL},
		"userinfo":            {Request{Method: "GET", Authority: "u@a"}, sink.ErrBadURL},
		"a port that is 0":    {Request{Method: "GET", Authority: "a:0"}, sink.ErrBadURL},
		"a port beyond":       {Request{Method: "GET", Authority: "a:65536"}, sink.ErrBadURL},
		"no IPv6 address":     {Request{Method: "GET", Authority: "[x]"}, sink.ErrBadURL},
		"an escape in a host": {Request{Method: "GET", Authority: "h%41"}, sink.ErrBadURL},
		"a relative path":     {Request{Method: "GET", Authority: "a", Path: "b"}, sink.ErrBadURL},
		"a space in a path":   {Request{Method: "GET", Authority: "a", Path: "/ "}, sink.ErrBadURL},
		"a star":              {Request{Method: "GET", Authority: "a", Path: "*"}, sink.ErrBadURL},
		"a pseudo-field":      {Request{Method: "GET", Authority: "a", Headers: fields(":path", "/")}, sink.ErrBadHeader},
		"an upper-case name":  {Request{Method: "GET", Authority: "a", Headers: fields("A", "/")}, sink.ErrBadHeader},
		"a line feed":         {Request{Method: "GET", Authority: "a", Headers: fields("a", "b\nc")}, sink.ErrBadHeader},
		"connection":          {Request{Method: "GET", Authority: "a", Headers: fields("connection", "close")}, sink.ErrBadHeader},
		"te":                  {Request{Method: "GET", Authority: "a", Headers: fields("te", "gzip")}, sink.ErrBadHeader},
		"a bad length":        {Request{Method: "GET", Authority: "a", Headers: fields("content-length", "x")}, sink.ErrBadHeader},
		"a bad host field":    {Request{Method: "GET", Authority: "a", Headers: fields("host", "x@y")}, sink.ErrBadHeader},
		"a cut list":          {Request{Method: "GET", Authority: "a", Headers: fields("a", "b")[:5]}, sink.ErrInvalidArgument},
	} {
		c.r.End = true
		if a := f.start(c.r).wait(); a.end.Code != c.code || len(a.events) != 1 || a.end.Conn != 0 {
			t.Errorf("%s: %v", name, a)
		}
	}
	if n := f.stats[sink.StatConnectionsTotal].Load() + f.stats[sink.StatHandshakesFailed].Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// An upload goes out in parts, with trailers, and the consumer hears what has left.
func TestF02_AnUploadInParts(t *testing.T) {
	var got []byte
	var trailed string
	p := serve(t, "", 0, func(p *peer, e event) {
		r := p.request(e.Object)
		switch e.Type {
		case sink.EventRequest:
			r.Start(200, nil)
			got = append(got, e.Data...)
		case sink.EventBody:
			got = append(got, e.Data...)
			r.Consumed(uint64(len(e.Data)))
		case sink.EventBodyEnd:
			trailed = list(e.Meta)
			r.End(chunk("done"))
		}
	})
	f := newFixture(t, "")
	part := strings.Repeat("x", 50_000)
	a := f.start(Request{Method: "POST", Authority: p.addr, Path: "/up", Body: chunk("begin")})
	for range 40 {
		a.do(func(x *Fetch) { x.Write(chunk(part)) })
	}
	a.do(func(x *Fetch) { x.Trailers(fields("x-sum", "1")) })
	a.do(func(x *Fetch) { x.Write(chunk("behind the end")) })
	a.wait()
	if a.end.Code != sink.OK || string(a.body) != "done" {
		t.Fatalf("%v", a)
	}
	p.Await(func() {
		if len(got) != 5+40*len(part) || trailed != "x-sum=1" {
			t.Errorf("%d bytes, trailers %q", len(got), trailed)
		}
	})
	if n := f.stats[sink.StatBodyBytesOut].Load(); n != uint64(5+40*len(part)) {
		t.Errorf("%d bytes counted", n)
	}
}

// F03, F14: a response comes as it is sent, by credit, with its trailers.
func TestF03_F14_AResponseInParts(t *testing.T) {
	const size = 2 << 20
	p := serve(t, "", 0, func(p *peer, e event) {
		if e.Type == sink.EventRequest {
			r := p.request(e.Object)
			r.Start(200, fields("x", "y"))
			r.Write(sink.Chunk{Bytes: make([]byte, size)})
			r.Trailers(fields("x-sum", "2"))
		}
	})
	f := newFixture(t, `{"receive_window": 65536}`)
	a := f.start(Request{Method: "GET", Authority: p.addr, Path: "/", End: true}, func(a *asked) { a.hold = true })
	held := 0
	eventually(t, "all that there is credit for", func() bool {
		f.Await(func() { held = len(a.body) })
		return held == 65536
	})
	f.Await(func() {
		a.hold = false
		f.fetch(a.h).Consumed(uint64(held))
	})
	a.wait()
	if a.end.Code != sink.OK || len(a.body) != size || a.trailed != "x-sum=2" {
		t.Errorf("%d bytes, %q, code %d", len(a.body), a.trailed, a.end.Code)
	}
}

// No event has more than there is credit for, be it all that there is.
func TestCreditHoldsForASmallResponseToo(t *testing.T) {
	p := serve(t, "", 0, func(p *peer, e event) {
		if e.Type == sink.EventRequest {
			p.request(e.Object).Send(200, nil, sink.Chunk{Bytes: make([]byte, 10_000)}, false)
		}
	})
	f := newFixture(t, `{"receive_window": 4096}`)
	a := f.get(p.addr, "/")
	if a.end.Code != sink.OK || len(a.body) != 10_000 {
		t.Errorf("%v", a.end)
	}
	for _, e := range a.events {
		if len(e.Data) > 4096 && e.Type != sink.EventFetchDone {
			t.Errorf("event %d with %d bytes", e.Type, len(e.Data))
		}
	}
}

// A body that is collected needs no credit, and has a limit.
func TestACollectedBody(t *testing.T) {
	const size = 1 << 20
	p := serve(t, "", 0, func(p *peer, e event) {
		if e.Type == sink.EventRequest {
			p.request(e.Object).Send(200, nil, sink.Chunk{Bytes: make([]byte, size)}, false)
		}
	})
	f := newFixture(t, `{"receive_window": 65536}`)
	for limit, code := range map[int64]sink.Code{size: sink.OK, size - 1: sink.ErrTooLarge} {
		a := f.start(Request{Method: "GET", Authority: p.addr, Path: "/", End: true, Collect: limit}, func(a *asked) { a.hold = true }).wait()
		if a.end.Code != code || code == sink.OK && len(a.body) != size {
			t.Errorf("limit %d: %d bytes, %v", limit, len(a.body), a.end.Code)
		}
	}
}

// F05, F07: a fetch that is cancelled ends at once, wherever it is, and its server hears of it.
func TestF05_F07_Cancel(t *testing.T) {
	requests, ends := make(chan event, 3), make(chan event, 3)
	p := serve(t, "", 0, func(p *peer, e event) {
		switch e.Type {
		case sink.EventRequest:
			if path, _ := packedField(e.Meta, ":path"); path == "/body" {
				p.request(e.Object).Start(200, nil)
			}
			requests <- e
		case sink.EventStreamClosed:
			ends <- e
		}
	})
	f := newFixture(t, "")
	for _, path := range []string{"/wait", "/body"} {
		answered := make(chan event, 1)
		a := f.start(Request{Method: "GET", Authority: p.addr, Path: path, End: true}, func(a *asked) {
			a.on = func(e event) {
				if e.Type == sink.EventResponse {
					answered <- e
				}
			}
		})
		within(t, "the request", requests)
		status := 0
		if path == "/body" {
			within(t, "the response", answered)
			status = 200
		}
		a.do(func(x *Fetch) { x.Cancel(0x10c); x.Cancel(0x10c) })
		if a.wait(); a.end.Code != sink.ErrCancelled || a.end.Status != uint32(status) {
			t.Errorf("%s: %v", path, a)
		}
		if e := within(t, "the server's end", ends); e.Code != sink.ErrReset || e.Aux != 0x10c {
			t.Errorf("%s: at the server %+v", path, e.Event)
		}
	}
	// One that waits for its connection.
	f.client.lookup = blocked
	a := &asked{f: f, done: make(chan struct{})}
	f.Await(func() {
		f.begin(a, Request{Method: "GET", Authority: "slow.test", Path: "/", End: true})
		f.fetch(a.h).Cancel(0x10c)
	})
	if a.wait(); a.end.Code != sink.ErrCancelled {
		t.Errorf("while it waits: %v", a)
	}
}

// F06: time limits; the connection is as good as before.
func TestF06_TimeLimits(t *testing.T) {
	p := serve(t, "", 0, func(p *peer, e event) {
		if e.Type != sink.EventRequest {
			return
		}
		switch path, _ := packedField(e.Meta, ":path"); path {
		case "/now":
			p.request(e.Object).Send(200, nil, chunk("ok"), false)
		case "/begin":
			r := p.request(e.Object)
			r.Start(200, nil)
			r.Write(chunk("some"))
		}
	})
	f := newFixture(t, `{"body_timeout_ms": 0}`)
	if a := f.get(p.addr, "/now"); string(a.body) != "ok" { // so there is a connection
		t.Errorf("before: %v", a)
	}
	for name, c := range map[string]struct {
		r     Request
		words string
	}{
		"no head": {Request{Path: "/silent", ResponseTimeout: 30e6}, "response_timeout_ms has passed"},
		"no end":  {Request{Path: "/silent", RequestTimeout: 30e6}, "request_timeout_ms has passed"},
	} {
		c.r.Method, c.r.Authority, c.r.End = "GET", p.addr, true
		if a := f.start(c.r).wait(); a.end.Code != sink.ErrTimeout || string(a.end.Data) != c.words || a.end.Status != 0 {
			t.Errorf("%s: %v", name, a)
		}
	}
	// Behind the head only the whole counts.
	begun := make(chan struct{})
	a := f.start(Request{Method: "GET", Authority: p.addr, Path: "/begin", End: true, ResponseTimeout: time.Hour, RequestTimeout: time.Hour}, func(a *asked) {
		a.on = func(e event) {
			if e.Type == sink.EventResponse {
				close(begun)
			}
		}
	})
	within(t, "a response", begun)
	pass := func(limit func(x *Fetch) *time.Time) {
		a.do(func(x *Fetch) {
			x.mu.Lock()
			*limit(x) = time.Now()
			x.mu.Unlock()
			x.expire()
		})
	}
	pass(func(x *Fetch) *time.Time { return &x.responseLimit })
	pass(func(x *Fetch) *time.Time { return &x.queueLimit })
	pass(func(x *Fetch) *time.Time { return &x.requestLimit })
	if a.wait(); a.end.Code != sink.ErrTimeout || string(a.end.Data) != "request_timeout_ms has passed" || a.end.Status != 200 {
		t.Errorf("a begin, and then nothing: %v", a)
	}
	if a := f.get(p.addr, "/now"); string(a.body) != "ok" {
		t.Errorf("afterwards: %v", a)
	}
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if n := f.stats[sink.StatTimeouts].Load(); n != 3 {
		t.Errorf("%d timeouts", n)
	}
}

// A fetch's own time limit takes the place of the client's, and a negative one is none.
func TestWhichTimeLimitHolds(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		own, option time.Duration
		want        time.Time
	}{
		{0, time.Minute, now.Add(time.Minute)},
		{time.Second, time.Minute, now.Add(time.Second)},
		{time.Hour, time.Minute, now.Add(time.Hour)},
		{-1, time.Minute, time.Time{}},
		{0, 0, time.Time{}},
		{time.Second, 0, now.Add(time.Second)},
	} {
		if got := limit(now, c.own, c.option); !got.Equal(c.want) {
			t.Errorf("%v, the option %v: %v, not %v", c.own, c.option, got, c.want)
		}
	}
}

func TestABodyThatStops(t *testing.T) {
	p := serve(t, "", 0, func(p *peer, e event) {
		if e.Type == sink.EventRequest {
			r := p.request(e.Object)
			r.Start(200, nil)
			r.Write(chunk("some"))
		}
	})
	f := newFixture(t, `{"body_timeout_ms": 1000}`)
	if a := f.get(p.addr, "/"); a.end.Code != sink.ErrTimeout || string(a.body) != "some" || !strings.Contains(string(a.end.Data), "body_timeout_ms") {
		t.Errorf("%v", a)
	}
}

// A counting owner wants each of its chunks back once.
type counting struct{ n atomic.Int32 }

func (c *counting) Release([]byte) { c.n.Add(1) }

// The bytes of a body go back to their owner once, however the fetch ends.
func TestBodiesGoBack(t *testing.T) {
	p := serve(t, "", buffered, echo)
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1, "max_queued": 1}`)
	first := f.startGet(h.addr)
	held := h.next()
	for _, c := range []struct {
		name string
		r    Request
		then func(a *asked)
		code sink.Code
	}{
		{"answered", Request{Authority: p.addr}, nil, sink.OK},
		{"large, and answered", Request{Authority: p.addr, Body: chunk(strings.Repeat("x", 1<<20))}, nil, sink.OK},
		{"no request", Request{Authority: "a b"}, nil, sink.ErrBadURL},
		{"no connection", Request{Authority: "nowhere.test"}, nil, sink.ErrResolve},
		{"cancelled while it waits", Request{Authority: h.addr}, func(a *asked) { a.do(func(x *Fetch) { x.Cancel(0x10c) }) }, sink.ErrCancelled},
		{"in parts, cancelled while it waits", Request{Authority: h.addr, UserData: 1}, func(a *asked) { a.do(func(x *Fetch) { x.Cancel(0x10c) }) }, sink.ErrCancelled},
	} {
		owner := new(counting)
		c.r.Method, c.r.Path, c.r.End = "POST", "/", c.r.UserData == 0
		if len(c.r.Body.Bytes) == 0 {
			c.r.Body = chunk("some")
		}
		c.r.Body.Owner = owner
		want := int32(1)
		a := f.start(c.r)
		if !c.r.End {
			want = 3
			a.do(func(x *Fetch) {
				for range 2 {
					part := chunk("more")
					part.Owner = owner
					x.Write(part)
				}
			})
		}
		if c.then != nil {
			c.then(a)
		}
		if a.wait(); a.end.Code != c.code {
			t.Errorf("%s: %v", c.name, a)
		}
		eventually(t, c.name+": the chunks are back", func() bool { return owner.n.Load() >= want })
		if n := owner.n.Load(); n != want {
			t.Errorf("%s: %d of %d chunks came back", c.name, n, want)
		}
	}
	held.answer()
	first.wait()
}
