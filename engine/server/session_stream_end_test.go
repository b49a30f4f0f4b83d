package server

import (
	"io"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/sink"
)

// wireCode is how the wire has the code 1 of an application (draft-ietf-webtrans-http3, 4.4).
const wireCode = 0x52e4a40fa8db + 1

// However a stream ends: the peer may open another one in its place, in its session and on its connection.
func TestN13_StreamsAreGivenBack(t *testing.T) {
	const atOnce, all = 20, 60
	for _, c := range []struct {
		name   string
		end    func(s *quic.Stream)
		answer bool // the consumer ends its side once the peer has
	}{
		{"reset and stop", func(s *quic.Stream) { s.CancelWrite(wireCode); s.CancelRead(wireCode) }, false},
		{"end and stop", func(s *quic.Stream) { s.Close(); s.CancelRead(wireCode) }, false},
		{"end, and the consumer's end", func(s *quic.Stream) { s.Close(); io.ReadAll(s) }, true},
		{"reset, and the consumer's end", func(s *quic.Stream) { s.CancelWrite(wireCode); io.ReadAll(s) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, `{"max_incoming_streams": 4, "webtransport": {"max_streams_bidi": 20}}`, func(f *sessionFixture, e event) {
				switch e.Type {
				case sink.EventSessionRequest:
					f.session(e.Object).Accept("", nil)
				case sink.EventRequest:
					f.send(e, 200, "")
				case sink.EventStreamData, sink.EventStreamReset:
					st := f.stream(e.Object)
					if st == nil {
						return
					}
					st.Consumed(uint64(len(e.Data)))
					if c.answer && (e.Type == sink.EventStreamReset || e.Flags&sink.FlagEnd != 0) {
						st.End()
					}
				}
			})
			client := dialWire(t, f, 0, settingMaxData, 1<<20)
			connect, _ := client.session()
			more, limit := limits(connect, capsuleMaxStreamsBidi), atOnce
			for n := 1; n <= all; n++ {
				for n > limit {
					limit = within(t, "leave to open another stream", more)
				}
				s := client.stream(connect, []byte("x"))
				eventually(t, "the stream", func() bool { return f.count(sink.EventStreamOpened) == n })
				c.end(s)
			}
			eventually(t, "all ends", func() bool { return f.count(sink.EventStreamEnded) == all })
			client.Lives()
		})
	}
}

// Streams of ours that the peer stops are not kept by the library.
func TestN13_OurStreamsThatThePeerStopsAreForgotten(t *testing.T) {
	f := serveSessions(t, "", nil)
	c := dialWire(t, f, 0, settingMaxStreamsUni, 1<<20)
	_, o := c.session()
	session := f.session(o.Object)
	const all = 100
	for range all {
		h := f.Give()
		f.Await(func() { session.OpenStream(h, true, true) })
	}
	for stopped := 0; stopped < all; {
		s, err := c.Conn.AcceptUniStream(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		typ, err := quicvarint.Read(quicvarint.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		if typ == uniStreamOfSession { // the server has others, too
			s.CancelRead(wireCode)
			stopped++
		}
	}
	eventually(t, "all ends", func() bool { return f.count(sink.EventStreamEnded) == all })
}
