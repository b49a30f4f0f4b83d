package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/webtransport-go"

	"zigh3/engine/sink"
)

// A stopOrder knows which STOP_SENDING frames of a connection's streams wait to be sent. Of a stream that is stopped and reset QUIC
// sends RESET_STREAM first, and Chromium then gives the page's writer a NetworkError without the code.
type stopOrder struct {
	some    atomic.Bool
	mu      sync.Mutex
	waiting map[quic.StreamID]func()
}

// expect has sent called, once, when the stream's STOP_SENDING is on its way.
func (o *stopOrder) expect(id quic.StreamID, sent func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = make(map[quic.StreamID]func())
	}
	o.waiting[id] = sent
	o.some.Store(true)
}

// take gives what waits for the stream's frame, which then waits no more.
func (o *stopOrder) take(id quic.StreamID) (sent func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	sent = o.waiting[id]
	delete(o.waiting, id)
	o.some.Store(len(o.waiting) > 0)
	return sent
}

// packet is told of each packet that is sent, by the goroutine that sends.
func (o *stopOrder) packet(frames []qlog.Frame) {
	if !o.some.Load() {
		return
	}
	for _, frame := range frames {
		if stop, ok := frame.Frame.(*qlog.StopSendingFrame); ok {
			if sent := o.take(stop.StreamID); sent != nil {
				go sink.Guard("stop sent", sent)
			}
		}
	}
}

// stopWait bounds how long a reset waits: QUIC drops a STOP_SENDING that waits when the peer's side ends meanwhile.
const stopWait = 100 * time.Millisecond

// cancelRead stops the peer's side. st.mu is held.
func (st *Stream) cancelRead(code webtransport.StreamErrorCode) {
	stops, id := &st.s.c.stops, st.receive.StreamID()
	st.stopping = true
	stops.expect(id, st.stopSent)
	st.receive.CancelRead(code)
	time.AfterFunc(stopWait, func() {
		sink.Guard("stop not sent", func() {
			if sent := stops.take(id); sent != nil {
				sent()
			}
		})
	})
}

// cancelWrite resets this side, behind a STOP_SENDING of the same stream. st.mu is held.
func (st *Stream) cancelWrite(code webtransport.StreamErrorCode) {
	if st.stopping {
		st.afterStop = &code
		return
	}
	st.send.CancelWrite(code)
}

// stopSent lets the reset go that waits.
func (st *Stream) stopSent() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.afterStop != nil {
		st.send.CancelWrite(*st.afterStop)
	}
	st.stopping, st.afterStop = false, nil
}
