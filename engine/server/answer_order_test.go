package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zigh3/engine/sink"
)

// Chromium drops the datagrams of a session whose answer it has not read.
func TestW01_TheAnswerGoesBeforeTheFirstDatagram(t *testing.T) {
	f := serveSessions(t, "", func(f *sessionFixture, e event) {
		switch e.Type {
		case sink.EventSessionRequest:
			f.session(e.Object).Accept("", nil)
		case sink.EventSessionOpened:
			f.session(e.Object).SendDatagram([]byte("welcome"), 0)
		}
	})
	const sessions = 50
	trace, c := dialTraced(t, f)
	var want []string
	received := func() []string {
		trace.mu.Lock()
		defer trace.mu.Unlock()
		return slices.DeleteFunc(slices.Clone(trace.order), func(what string) bool {
			return strings.HasPrefix(what, "sent") || !strings.HasSuffix(what, "DATAGRAM") && !slices.Contains(want, what)
		})
	}
	for i := range sessions {
		c.connect(f)
		want = append(want, fmt.Sprint("received STREAM ", 4*i), "received DATAGRAM")
		eventually(t, "a note of each", func() bool { return len(received()) == len(want) })
	}
	if got := received(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
