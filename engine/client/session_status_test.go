package client

import (
	"fmt"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// Any status of success opens a session; others refuse it, and are told.
func TestStatusesOfASession(t *testing.T) {
	for _, c := range []struct {
		status int
		opens  bool
	}{{200, true}, {201, true}, {204, true}, {299, true}, {300, false}, {404, false}, {599, false}} {
		r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
			k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 4)
			if s := k.next(); s != nil {
				s.Write(headers(":status", fmt.Sprint(c.status)))
			}
			<-k.Context().Done()
		})
		f := newFixture(t, "")
		w := f.want(SessionRequest{Authority: r.addr})
		if c.opens {
			w.wait(sink.EventSessionOpened)
		} else if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrRejected || e.Status != uint32(c.status) {
			t.Errorf("%d: %+v", c.status, e.Event)
		}
	}
}
