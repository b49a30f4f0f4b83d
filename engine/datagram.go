package engine

import (
	"time"

	"zigh3/engine/sink"
)

// SendDatagram queues a datagram of the request; data is valid during the call. What has waited for longer than maxAge is dropped; 0
// is no limit.
func (r *Request) SendDatagram(data []byte, maxAge time.Duration) {
	if r.datagrams != nil {
		r.datagrams.out.send(data, maxAge)
	}
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (r *Request) DatagramOversized() { r.c.stats.Add(sink.StatDatagramsTooLarge, 1) }

// newRequestDatagrams gives a request its datagrams.
func newRequestDatagrams(r *Request, route uint32) *h3Datagrams {
	head := sink.Event{Type: sink.EventH3Datagram, Parent: r.c.s.handle, Conn: r.c.handle, Status: route}
	return newH3Datagrams(r.c, r.h3.h, head, r.commit)
}

// commit publishes an event about the request unless it has ended.
func (r *Request) commit(rec sink.Record, ev *sink.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	ev.Object, ev.UserData = r.handle, r.userData
	r.c.sink.Commit(rec, ev)
	return true
}
