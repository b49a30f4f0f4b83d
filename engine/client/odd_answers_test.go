package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// F13: what a server must not answer is an error with a name, and costs the request or the connection what RFC 9114 says.
func TestF13_AnswersThatAreNone(t *testing.T) {
	ok := headers(":status", "200")
	const (
		well      = sink.OK
		malformed = sink.ErrProtocol
	)
	for _, c := range []struct {
		name   string
		answer []byte
		code   sink.Code
		stream uint64 // that our side of the stream is reset with, 0: not
		conn   uint64 // that the connection ends with, 0: not
		status uint32
		body   string
	}{
		{"a response", join(ok, data("abc")), well, 0, 0, 200, "abc"},
		{"DATA frames, one empty", join(ok, data("a"), data(""), data("bc")), well, 0, 0, 200, "abc"},
		{"unknown frames everywhere", join(frame(enginetest.Grease, "x"), ok, frame(enginetest.Grease, "x"), data("a"), frame(enginetest.Grease, "")), well, 0, 0, 200, "a"},
		{"frames spelled out", join(enginetest.SpelledOut(ok), enginetest.SpelledOut(data("a"))), well, 0, 0, 200, "a"},
		{"a length that is right", join(headers(":status", "200", "content-length", "3"), data("abc")), well, 0, 0, 200, "abc"},
		{"a length twice", join(headers(":status", "200", "content-length", "3", "content-length", "3"), data("abc")), well, 0, 0, 200, "abc"},
		{"trailers", join(ok, data("a"), headers("x", "y")), well, 0, 0, 200, "a"},
		{"trailers without a body", join(ok, headers("x", "y")), well, 0, 0, 200, ""},
		{"a status beyond 599", join(headers(":status", "799")), well, 0, 0, 799, ""},
		{"204", headers(":status", "204"), well, 0, 0, 204, ""},
		{"204 with a length", headers(":status", "204", "content-length", "9"), well, 0, 0, 204, ""},
		{"304 with a length", headers(":status", "304", "content-length", "9"), well, 0, 0, 304, ""},

		{"nothing", nil, sink.ErrTruncated, 0, 0, 0, ""},
		{"only an informational head", headers(":status", "103"), sink.ErrTruncated, 0, 0, 0, ""},
		{"a body that is too short", join(headers(":status", "200", "content-length", "4"), data("abc")), sink.ErrTruncated, 0, 0, 200, ""},
		{"no body at all", headers(":status", "200", "content-length", "4"), sink.ErrTruncated, 0, 0, 200, ""},
		{"a body that is too long", join(headers(":status", "200", "content-length", "2"), data("abc")), malformed, 0, 0, 200, ""},
		{"lengths that contradict", join(headers(":status", "200", "content-length", "2", "content-length", "3"), data("abc")), malformed, 0, 0, 0, ""},
		{"a length that is none", join(headers(":status", "200", "content-length", "+3"), data("abc")), malformed, 0, 0, 0, ""},
		{"204 with a body", join(headers(":status", "204"), data("a")), malformed, 0, 0, 204, ""},
		{"304 with a body", join(headers(":status", "304"), data("a")), malformed, 0, 0, 304, ""},
		{"no status", headers("a", "b"), malformed, 0, 0, 0, ""},
		{"a status twice", headers(":status", "200", ":status", "200"), malformed, 0, 0, 0, ""},
		{"a status behind a field", headers("a", "b", ":status", "200"), malformed, 0, 0, 0, ""},
		{"a status of two digits", headers(":status", "20"), malformed, 0, 0, 0, ""},
		{"a status in words", headers(":status", "two"), malformed, 0, 0, 0, ""},
		{"101", headers(":status", "101"), malformed, 0, 0, 0, ""},
		{"a request's pseudo-field", headers(":status", "200", ":path", "/"), malformed, 0, 0, 0, ""},
		{"an upper-case name", headers(":status", "200", "Server", "x"), malformed, 0, 0, 0, ""},
		{"connection", headers(":status", "200", "connection", "close"), malformed, 0, 0, 0, ""},
		{"transfer-encoding", headers(":status", "200", "transfer-encoding", "chunked"), malformed, 0, 0, 0, ""},
		{"a NUL", headers(":status", "200", "a", "b\x00"), malformed, 0, 0, 0, ""},
		{"a line feed", headers(":status", "200", "a", "b\nc: d"), malformed, 0, 0, 0, ""},
		{"a pseudo-field in trailers", join(ok, data("a"), headers(":status", "200")), malformed, 0, 0, 200, "a"},
		{"te", headers(":status", "200", "te", "trailers"), malformed, 0, 0, 0, ""},
		{"a name without a character", headers(":status", "200", "", "x"), malformed, 0, 0, 0, ""},
		{"a name with a space", headers(":status", "200", "a b", "x"), malformed, 0, 0, 0, ""},
		{"a pseudo-field that nobody knows", headers(":status", "200", ":x", "y"), malformed, 0, 0, 0, ""},
		{"a status of four digits", headers(":status", "2000"), malformed, 0, 0, 0, ""},
		{"a status below 100", headers(":status", "099"), malformed, 0, 0, 0, ""},
		{"no status at all", frame(enginetest.FrameHeaders, enginetest.Section()), malformed, 0, 0, 0, ""},
		{"an informational head without a status", join(headers("a", "b"), ok), malformed, 0, 0, 0, ""},
		{"an upper-case name in trailers", join(ok, data("a"), headers("Server", "x")), malformed, 0, 0, 200, "a"},
		{"connection in trailers", join(ok, headers("connection", "close")), malformed, 0, 0, 200, ""},
		{"a length beyond 2^63", headers(":status", "200", "content-length", "9223372036854775808"), malformed, 0, 0, 0, ""},
		{"trailers that are too long", join(ok, data("a"), enginetest.FrameHead(enginetest.FrameHeaders, 1<<20), make([]byte, 100)), sink.ErrTooLarge, 0, 0, 200, ""},
		{"too many fields in trailers", join(ok, headers(slices.Repeat([]string{"a", "b"}, 101)...)), sink.ErrTooLarge, 0, 0, 200, ""},
		{"a field that is too long", headers(":status", "200", "a", strings.Repeat("x", 9<<10)), sink.ErrTooLarge, 0, 0, 0, ""},
		{"too many fields", headers(slices.Concat([]string{":status", "200"}, slices.Repeat([]string{"a", "b"}, 101))...), sink.ErrTooLarge, 0, 0, 0, ""},
		{"a head that is too long", join(enginetest.FrameHead(enginetest.FrameHeaders, 1<<20), make([]byte, 100)), sink.ErrTooLarge, 0, 0, 0, ""},
		{"informational heads without end", slices.Repeat(headers(":status", "103"), 40), sink.ErrTooLarge, 0, 0, 0, ""},

		{"DATA first", join(data("a"), ok), malformed, 0, 0x105, 0, ""},
		{"DATA behind an informational head", join(headers(":status", "103"), data("a"), ok), malformed, 0, 0x105, 0, ""},
		{"DATA behind trailers", join(ok, headers("a", "b"), data("a")), malformed, 0, 0x105, 200, ""},
		{"trailers twice", join(ok, headers("a", "b"), headers("a", "b")), malformed, 0, 0x105, 200, ""},
		{"SETTINGS", join(frame(enginetest.FrameSettings), ok), malformed, 0, 0x105, 0, ""},
		{"GOAWAY", join(ok, frame(enginetest.FrameGoAway, 0)), malformed, 0, 0x105, 200, ""},
		{"MAX_PUSH_ID", join(frame(enginetest.FrameMaxPushID, 0), ok), malformed, 0, 0x105, 0, ""},
		{"a frame of HTTP/2", join(frame(0x8, "x"), ok), malformed, 0, 0x105, 0, ""},
		{"a promise of a push", join(frame(enginetest.FramePushPromise, 0, enginetest.Section(":method", "GET")), ok), malformed, 0, 0x108, 0, ""},
		{"a promise of a push behind the head", join(ok, frame(enginetest.FramePushPromise, 0)), malformed, 0, 0x108, 200, ""},
		{"a frame that is cut", join(ok, enginetest.FrameHead(enginetest.FrameData, 4), []byte("abc")), malformed, 0, 0x106, 200, ""},
		{"a head that is cut", ok[:3], malformed, 0, 0x106, 0, ""},
		{"half a frame's head", []byte{0x40}, malformed, 0, 0x106, 0, ""},
		{"a frame of HTTP/2 behind the head", join(ok, frame(0x2, "x")), malformed, 0, 0x105, 200, ""},
		{"CANCEL_PUSH", join(ok, frame(enginetest.FrameCancelPush, 0)), malformed, 0, 0x105, 200, ""},
		{"PRIORITY_UPDATE", join(ok, frame(enginetest.FramePriorityUpdateRequest, 0, "u=1")), malformed, 0, 0x105, 200, ""},
		{"trailers that are cut", join(ok, headers("a", "b")[:3]), malformed, 0, 0x106, 200, ""},
		{"a length that is cut", join(ok, []byte{enginetest.FrameData, 0x40}), malformed, 0, 0x106, 200, ""},
		{"unknown frames without end", join(ok, frame(enginetest.Grease, make([]byte, 65<<10))), malformed, 0, 0x107, 200, ""},
		{"unknown frames without end in front", join(frame(enginetest.Grease, make([]byte, 65<<10)), ok), malformed, 0, 0x107, 0, ""},
		{"an index beyond QPACK's static table", frame(enginetest.FrameHeaders, []byte{0, 0, 0xff, 0x60}), malformed, 0, 0x200, 0, ""},
		{"a field of a dynamic table", frame(enginetest.FrameHeaders, []byte{0, 0, 0x80}), malformed, 0, 0x200, 0, ""},
		{"a name of a dynamic table", frame(enginetest.FrameHeaders, []byte{0, 0, 0x40, 0x01, 'x'}), malformed, 0, 0x200, 0, ""},
		{"a field that is cut", frame(enginetest.FrameHeaders, []byte{0, 0, 0x5f, 0x09, 0x05, 'x'}), malformed, 0, 0x200, 0, ""},
		{"a trailer that is no QPACK", join(ok, frame(enginetest.FrameHeaders, []byte{0xff, 0xff, 0xff})), malformed, 0, 0x200, 200, ""},
		{"no QPACK", frame(enginetest.FrameHeaders, []byte{0xff, 0xff, 0xff}), malformed, 0, 0x200, 0, ""},
		{"a dynamic table", frame(enginetest.FrameHeaders, []byte{0x02, 0x00, 0x80}), malformed, 0, 0x200, 0, ""},
		{"a session's stream", enginetest.Varints(enginetest.FrameSessionBidi, 0), malformed, 0, 0x106, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := listenRaw(t, nil, answering(c.answer))
			f := newFixture(t, "")
			a := f.get(r.addr, "/")
			if a.end.Code != c.code || a.end.Status != c.status || c.code == well && string(a.body) != c.body {
				t.Errorf("%v", a)
			}
			if want := map[string]string{"trailers": "x=y", "trailers without a body": "x=y"}[c.name]; a.trailed != want && c.code == well {
				t.Errorf("trailers %q", a.trailed)
			}
			if c.code != well && len(a.end.Data) == 0 {
				t.Error("no reason")
			}
			if c.conn != 0 {
				eventually(t, "the connection's end", func() (over bool) {
					f.Await(func() { over = len(f.conns) == 2 && f.conns[1].Code == sink.ErrProtocol && f.conns[1].Aux == c.conn })
					return over
				})
				return
			}
			if c.code != well {
				f.Await(func() {
					if len(f.conns) != 1 {
						t.Errorf("the connection ended: %+v", f.conns[1].Event)
					}
				})
			}
		})
	}
}

// What a server does to a whole connection.
func TestConnectionsThatAreNone(t *testing.T) {
	control := enginetest.Varints(enginetest.StreamControl)
	for _, c := range []struct {
		name    string
		streams [][]byte // unidirectional ones
		conn    uint64
	}{
		{"no SETTINGS", [][]byte{join(control, frame(enginetest.FrameGoAway, 0))}, 0x10a},
		{"SETTINGS twice", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameSettings))}, 0x105},
		{"a setting twice", [][]byte{join(control, frame(enginetest.FrameSettings, 6, 1, 6, 1))}, 0x109},
		{"a setting of HTTP/2", [][]byte{join(control, frame(enginetest.FrameSettings, 4, 1))}, 0x109},
		{"two control streams", [][]byte{join(control, frame(enginetest.FrameSettings)), join(control, frame(enginetest.FrameSettings))}, 0x103},
		{"a push stream", [][]byte{enginetest.Varints(enginetest.StreamPush, 0)}, 0x108},
		{"MAX_PUSH_ID", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameMaxPushID, 1))}, 0x105},
		{"GOAWAY with a push's id", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameGoAway, 3))}, 0x108},
		{"GOAWAY that goes up", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameGoAway, 4), frame(enginetest.FrameGoAway, 8))}, 0x108},
		{"PRIORITY_UPDATE", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FramePriorityUpdateRequest, 0, "u=1"))}, 0x105},
		{"nothing but a type", [][]byte{join(control, frame(enginetest.FrameData, "x"))}, 0x10a},
		{"SETTINGS_H3_DATAGRAM of 2", [][]byte{join(control, frame(enginetest.FrameSettings, 0x33, 2))}, 0x109},
		{"SETTINGS_H3_DATAGRAM without the transport's", [][]byte{join(control, frame(enginetest.FrameSettings, 0x33, 1))}, 0x109},
		{"SETTINGS_ENABLE_CONNECT_PROTOCOL of 2", [][]byte{join(control, frame(enginetest.FrameSettings, 8, 2))}, 0x109},
		{"half a setting", [][]byte{join(control, frame(enginetest.FrameSettings, 6))}, 0x106},
		{"SETTINGS that are too long", [][]byte{join(control, enginetest.FrameHead(enginetest.FrameSettings, 1<<20))}, 0x107},
		{"an empty GOAWAY", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameGoAway))}, 0x106},
		{"a GOAWAY that is too long", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameGoAway, 0, 0))}, 0x106},
		{"CANCEL_PUSH", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameCancelPush, 0))}, 0x108},
		{"an empty CANCEL_PUSH", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameCancelPush))}, 0x106},
		{"DATA on the control stream", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FrameData, "x"))}, 0x105},
		{"HEADERS on the control stream", [][]byte{join(control, frame(enginetest.FrameSettings), headers("a", "b"))}, 0x105},
		{"PUSH_PROMISE on the control stream", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FramePushPromise, 0))}, 0x105},
		{"a frame of HTTP/2 on the control stream", [][]byte{join(control, frame(enginetest.FrameSettings), frame(0x6, "x"))}, 0x105},
		{"PRIORITY_UPDATE of a push", [][]byte{join(control, frame(enginetest.FrameSettings), frame(enginetest.FramePriorityUpdatePush, 0, "u=1"))}, 0x105},
		{"two of QPACK's encoders", [][]byte{enginetest.Varints(enginetest.StreamEncoder), enginetest.Varints(enginetest.StreamEncoder)}, 0x103},
		{"two of QPACK's decoders", [][]byte{enginetest.Varints(enginetest.StreamDecoder), enginetest.Varints(enginetest.StreamDecoder)}, 0x103},
		{"an entry for a dynamic table", [][]byte{enginetest.Varints(enginetest.StreamEncoder, []byte{0x41, 'a', 0x01, 'b'})}, 0x201},
		{"an acknowledgement of no section", [][]byte{enginetest.Varints(enginetest.StreamDecoder, []byte{0x80})}, 0x202},
		{"a count of no entries", [][]byte{enginetest.Varints(enginetest.StreamDecoder, []byte{0x01})}, 0x202},
		{"entries for a dynamic table", [][]byte{enginetest.Varints(enginetest.StreamEncoder, []byte{0x3f})}, 0x201},
	} {
		t.Run(c.name, func(t *testing.T) {
			ends := make(chan error, 1)
			r := listenRaw(t, nil, func(k *rawConn) {
				k.control.CancelWrite(0)
				for _, p := range c.streams {
					s, err := k.OpenUniStream()
					if err != nil {
						t.Error(err)
						return
					}
					s.Write(p)
				}
				<-k.Context().Done()
				ends <- context.Cause(k.Context())
			})
			f := newFixture(t, "")
			a := f.get(r.addr, "/")
			var app *quic.ApplicationError
			if err := within(t, "the end", ends); !errors.As(err, &app) || uint64(app.ErrorCode) != c.conn {
				t.Errorf("%v", err)
			}
			if a.end.Code != sink.ErrProtocol {
				t.Errorf("%v", a)
			}
		})
	}
}

// A bidirectional stream of the server's is none (RFC 9114, 6.1), unless it is a session's. Without sessions QUIC does not let it open one.
func TestAServerOpensNoBidirectionalStream(t *testing.T) {
	opened := make(chan error, 1)
	r := listenRaw(t, nil, func(c *rawConn) {
		s, err := c.OpenStream()
		opened <- err
		if err == nil {
			s.Write(headers(":status", "200"))
		}
		answering(headers(":status", "200"))(c)
	})
	f := newFixture(t, `{"webtransport": false}`)
	if a := f.get(r.addr, "/"); a.end.Code != sink.OK {
		t.Errorf("%v", a)
	}
	if err := within(t, "the attempt", opened); !errors.Is(err, &quic.StreamLimitReachedError{}) {
		t.Errorf("%v", err)
	}
	f = newFixture(t, "")
	f.get(r.addr, "/")
	if err := within(t, "the attempt", opened); err != nil {
		t.Error(err)
	}
	eventually(t, "the connection's end", func() (over bool) {
		f.Await(func() { over = len(f.conns) == 2 && f.conns[1].Code == sink.ErrProtocol && f.conns[1].Aux == 0x103 })
		return over
	})
}

// HEAD has no body, and content-length says how long that of GET would be.
func TestHEAD(t *testing.T) {
	for _, c := range []struct {
		answer []byte
		code   sink.Code
	}{
		{headers(":status", "200", "content-length", "9"), sink.OK},
		{join(headers(":status", "200", "content-length", "1"), data("a")), sink.ErrProtocol},
	} {
		r := listenRaw(t, nil, answering(c.answer))
		f := newFixture(t, "")
		if a := f.start(Request{Method: "HEAD", Authority: r.addr, Path: "/", End: true}).wait(); a.end.Code != c.code {
			t.Errorf("%x: %v", c.answer, a)
		}
	}
}

// Informational heads are told one by one, in front of the response.
func TestInformationalHeads(t *testing.T) {
	r := listenRaw(t, nil, answering(join(headers(":status", "100"), headers(":status", "103", "link", "</a>"), headers(":status", "103", "link", "</b>"), headers(":status", "200"), data("x"))))
	f := newFixture(t, "")
	a := f.get(r.addr, "/")
	var links []string
	for _, e := range a.events {
		if e.Type == sink.EventInformational {
			links = append(links, list(e.Meta))
		}
	}
	if fmt.Sprint(a.info) != "[100 103 103]" || fmt.Sprint(links) != "[ link=</a> link=</b>]" || string(a.body) != "x" || a.end.Code != sink.OK {
		t.Errorf("%v %v", a, links)
	}
}

// Resets have their code, and one that comes behind part of a body is no end of it.
func TestResets(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		code   quic.StreamErrorCode
		status uint32
	}{
		{"at once", nil, 0x10c, 0},
		{"with H3_NO_ERROR", nil, 0x100, 0},
		{"in the body", join(headers(":status", "200"), data("abc")), 0x102, 200},
		{"in a body with a length that has come", join(headers(":status", "200", "content-length", "3"), data("abc")), 0x102, 200},
	} {
		came := make(chan struct{})
		r := listenRaw(t, nil, func(k *rawConn) {
			k.settle()
			s := k.next()
			if c.answer != nil {
				s.Write(c.answer)
				<-came
			}
			s.CancelWrite(c.code)
			<-k.Context().Done()
		})
		f := newFixture(t, "")
		a := f.start(Request{Method: "GET", Authority: r.addr, Path: "/", End: true}, func(a *asked) {
			a.on = func(e event) {
				if e.Type == sink.EventBody {
					close(came)
				}
			}
		}).wait()
		if a.end.Code != sink.ErrReset || a.end.Aux != uint64(c.code) || a.end.Flags&sink.FlagRemote == 0 || a.end.Status != c.status {
			t.Errorf("%s: %v", c.name, a)
		}
	}
}

// RFC 9114, 4.1: a server may answer, and say that it wants no more of the request. The response counts all the same.
func TestAnAnswerBeforeTheEndOfTheUpload(t *testing.T) {
	r := listenRaw(t, nil, func(c *rawConn) {
		c.settle()
		for s := c.next(); s != nil; s = c.next() {
			s.Write(join(headers(":status", "413"), data("enough")))
			s.Close()
			s.CancelRead(0x100)
		}
	})
	f := newFixture(t, "")
	a := f.start(Request{Method: "POST", Authority: r.addr, Path: "/", Body: chunk("begin")})
	eventually(t, "STREAM_STOPPED", func() (stopped bool) {
		f.Await(func() { stopped = a.stopped })
		if !stopped {
			a.do(func(x *Fetch) { x.Write(chunk("more")) })
		}
		return stopped
	})
	if a.wait(); a.end.Code != sink.OK || a.status != 413 || string(a.body) != "enough" {
		t.Errorf("in parts: %v", a)
	}
	if a := f.start(Request{Method: "POST", Authority: r.addr, Path: "/", Body: sink.Chunk{Bytes: make([]byte, 4<<20)}, End: true}).wait(); a.end.Code != sink.OK || a.status != 413 || a.stopped {
		t.Errorf("a whole body: %v", a)
	}
}

// A consumer that writes nothing just now hears of it, too.
func TestAnUploadThatIsStoppedWhileItWaits(t *testing.T) {
	r := listenRaw(t, nil, func(c *rawConn) {
		c.settle()
		s := c.next()
		s.CancelRead(0x100)
		<-c.Context().Done()
	})
	f := newFixture(t, "")
	stopped := make(chan event, 1)
	a := f.start(Request{Method: "POST", Authority: r.addr, Path: "/", Body: chunk("begin")}, func(a *asked) {
		a.on = func(e event) {
			if e.Type == sink.EventStreamStopped {
				stopped <- e
			}
		}
	})
	if e := within(t, "STREAM_STOPPED", stopped); e.Aux != 0x100 || e.Flags != sink.FlagRemote {
		t.Errorf("%+v", e.Event)
	}
	a.do(func(x *Fetch) { x.Cancel(0x10c) })
	a.wait()
}

// A server that closes the connection, or vanishes, ends what is open on it with its own code.
func TestAConnectionThatEnds(t *testing.T) {
	r := listenRaw(t, nil, func(c *rawConn) {
		c.settle()
		c.next()
		c.CloseWithError(0x102, "no more")
	})
	f := newFixture(t, "")
	if a := f.get(r.addr, "/"); a.end.Code != sink.ErrClosed || a.end.Aux != 0x102 || string(a.end.Data) != "no more" || a.end.Flags != sink.FlagAborted|sink.FlagRemote {
		t.Errorf("%v", a)
	}
	silent := listenRaw(t, &quic.Config{MaxIdleTimeout: 200e6}, func(c *rawConn) {
		c.settle()
		c.next()
	})
	f = newFixture(t, `{"idle_timeout_ms": 200, "keep_alive_ms": 0}`)
	if a := f.get(silent.addr, "/"); a.end.Code != sink.ErrIdle {
		t.Errorf("%v", a)
	}
}
