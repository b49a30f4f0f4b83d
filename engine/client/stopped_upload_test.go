package client

import (
	"testing"

	"zigh3/engine/sink"
)

// What is written although the server has said that it wants no more goes nowhere, and its room is given back.
func TestWhatIsWrittenBehindAStop(t *testing.T) {
	r := listenRaw(t, nil, func(c *rawConn) {
		c.settle()
		c.next().CancelRead(0x100)
		<-c.Context().Done()
	})
	f := newFixture(t, "")
	stopped := make(chan struct{})
	a := f.start(Request{Method: "POST", Authority: r.addr, Path: "/"}, func(a *asked) {
		a.on = func(e event) {
			if e.Type == sink.EventStreamStopped {
				close(stopped)
			}
		}
	})
	a.do(func(x *Fetch) { x.Write(chunk("before")) })
	within(t, "STREAM_STOPPED", stopped)
	a.do(func(x *Fetch) {
		if n := f.DrainedOf(a.h); n != len("before") {
			t.Errorf("%d bytes have left before", n)
		}
		x.Write(chunk("behind it"))
		x.Write(chunk("!"))
		if n := f.DrainedOf(a.h); n != len("before"+"behind it"+"!") {
			t.Errorf("%d bytes have left", n)
		}
		x.End(sink.Chunk{})
		x.Cancel(0x10c)
	})
	if a.wait(); a.end.Code != sink.ErrCancelled {
		t.Errorf("%v", a)
	}
}
