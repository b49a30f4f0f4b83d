package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// onDraftsWithFlowControl runs a test with clients of each of them.
func onDraftsWithFlowControl(t *testing.T, o enginetest.Options, test func(t *testing.T, o enginetest.Options)) {
	for _, d := range []*enginetest.Dialect{enginetest.Draft14, enginetest.Draft15} {
		t.Run(d.Name, func(t *testing.T) {
			o.Dialect = d
			o.MaxStreamsBidi, o.MaxStreamsUni, o.MaxData = max(o.MaxStreamsBidi, 1), max(o.MaxStreamsUni, 1), max(o.MaxData, 1)
			test(t, o)
		})
	}
}

// openSession opens one, and gives the handle.
func (f *sessionFixture) openSession(o enginetest.Options) (*enginetest.Session, sink.Handle) {
	f.t.Helper()
	before := f.count(sink.EventSessionOpened)
	s := enginetest.Dial(f.t, f.addr, o).MustOpen("/wt")
	return s, f.nth(sink.EventSessionOpened, before).Object
}

// nth waits for an event of a type behind n others.
func (f *sessionFixture) nth(typ sink.EventType, n int) event {
	f.t.Helper()
	seen := 0
	return f.wait(fmt.Sprintf("event %d, number %d", typ, n), func(e event) bool {
		if e.Type == typ {
			seen++
		}
		return e.Type == typ && seen > n
	})
}

// capsules are those of a type that the client has had, as numbers.
func capsules(s *enginetest.Session, typ uint64) (all []uint64) {
	for _, c := range s.Capsules() {
		if c.Type == typ {
			n, _ := c.Number()
			all = append(all, n)
		}
	}
	return all
}

// consume accepts sessions and gives credit for all that comes, at once.
func consume(f *sessionFixture, e event) {
	switch e.Type {
	case sink.EventSessionRequest:
		f.session(e.Object).Accept("", nil)
	case sink.EventStreamData:
		if st := f.stream(e.Object); st != nil {
			st.Consumed(uint64(len(e.Data)))
			if e.Flags&sink.FlagEnd != 0 {
				st.End()
			}
		}
	case sink.EventStreamReset, sink.EventStreamStopped: // a side that is left is of no use
		if st := f.stream(e.Object); st != nil {
			st.Reset(1)
			st.Stop(1)
		}
	}
}

// W20: streams up to the limit, one beyond it, and room for another whenever one has ended, however: many times as many as the limit allows at once.
func TestW20_LimitsOfStreamsOfThePeer(t *testing.T) {
	ends := []struct {
		name string
		end  func(f *sessionFixture, st *enginetest.Stream, opened event)
	}{
		{"end", func(_ *sessionFixture, st *enginetest.Stream, _ event) { st.Close(); io.ReadAll(st) }},
		{"reset", func(_ *sessionFixture, st *enginetest.Stream, _ event) { st.CancelWrite(5); st.CancelRead(5) }},
		{"our stop", func(f *sessionFixture, st *enginetest.Stream, o event) {
			f.Await(func() {
				if s := f.stream(o.Object); s != nil {
					s.Stop(7)
					s.Reset(7)
				}
			})
			for { // quic-go answers a stop by itself, and its writer is told
				if _, err := st.Write([]byte("x")); err != nil {
					break
				}
			}
			st.CancelWrite(7)
			st.CancelRead(7)
		}},
		{"end behind unread bytes", func(_ *sessionFixture, st *enginetest.Stream, _ event) {
			st.Write(make([]byte, 3000))
			st.Close()
			io.ReadAll(st)
		}},
	}
	onDraftsWithFlowControl(t, enginetest.Options{}, func(t *testing.T, o enginetest.Options) {
		f := serveSessions(t, `{"webtransport": {"max_streams_bidi": 3, "max_streams_uni": 3}}`, consume)
		s, _ := f.openSession(o)
		for _, uni := range []bool{false, true} {
			open := map[bool]func(context.Context) (*enginetest.Stream, error){false: s.OpenStreamSync, true: s.OpenUniStreamSync}[uni]
			now := map[bool]func() (*enginetest.Stream, error){false: s.OpenStream, true: s.OpenUniStream}[uni]
			var streams []*enginetest.Stream
			var opened []event
			one := func() {
				t.Helper()
				n := f.count(sink.EventStreamOpened)
				st, err := open(ctx(t))
				if err != nil {
					t.Fatal(err)
				}
				streams, opened = append(streams, st), append(opened, f.nth(sink.EventStreamOpened, n))
			}
			one()
			one()
			one()
			if _, err := now(); !errors.Is(err, enginetest.ErrStreamLimit) {
				t.Fatalf("a stream beyond the limit: %v", err)
			}
			for i := range 24 {
				ends[i%len(ends)].end(f, streams[0], opened[0])
				streams, opened = streams[1:], opened[1:]
				one()
			}
			for i := range streams {
				ends[0].end(f, streams[i], opened[i])
			}
		}
		eventually(t, "all ends", func() bool { return f.count(sink.EventStreamEnded) == 54 })
	})
}

// W20: a stream beyond the limit, and a byte: also one that nobody has read, or that nobody will, since the stream is reset. All that is allowed
// is taken.
func TestW20_BeyondTheLimits(t *testing.T) {
	const most = 64 << 10
	stream := func(p *sessionPeer, n int) *quic.SendStream { return p.sessionUni(make([]byte, n)) }
	overrun := "session reset WT_FLOW_CONTROL_ERROR"
	var rows []sessionBreach
	for _, d := range []*enginetest.Dialect{enginetest.Draft14, enginetest.Draft15} {
		client := &enginetest.Options{Dialect: d, MaxStreamsBidi: 1, MaxStreamsUni: 1, MaxData: 1}
		for _, c := range []struct {
			name string
			do   func(p *sessionPeer)
			want string
		}{
			{"all the bytes", func(p *sessionPeer) { stream(p, most) }, "lives"},
			{"all the bytes of two streams, one with its end", func(p *sessionPeer) { stream(p, most/2).Close(); stream(p, most/2) }, "lives"},
			{"a byte more", func(p *sessionPeer) { stream(p, most+1).Close() }, overrun},
			{"a byte more, on a stream of its own", func(p *sessionPeer) { stream(p, most).Close(); stream(p, 1) }, overrun},
			{"a byte more than an end tells, most of it unread", func(p *sessionPeer) { stream(p, most).Close(); stream(p, 1) }, overrun},
			{"a byte more than the reset tells", func(p *sessionPeer) {
				stream(p, most).Close()
				s := stream(p, 1)
				s.SetReliableBoundary()
				s.CancelWrite(1)
			}, overrun},
			{"all the streams", func(p *sessionPeer) { stream(p, 0); stream(p, 0) }, "lives"},
			{"a stream more", func(p *sessionPeer) { stream(p, 0); stream(p, 0); stream(p, 0) }, overrun},
			{"a bidirectional stream more", func(p *sessionPeer) {
				for range 3 {
					p.Open(varints(streamOfSession, p.id), false)
				}
			}, overrun},
		} {
			var event *sessionEndSeen
			if c.want == overrun {
				event = breachSeen
			}
			rows = append(rows, sessionBreach{name: d.Name + ", " + c.name, client: client, do: c.do, want: c.want, event: event,
				options: `{"receive_window": 4096, "webtransport": {"max_data": 65536, "max_streams_uni": 2, "max_streams_bidi": 2}}`})
		}
	}
	runSessionBreaches(t, rows)
}

// W20: credit for bytes comes back however they go: consumed, reset before anybody read them, stopped by the consumer with some read, some
// with the consumer and some not even read, kept back by a full queue. Many times as much as the limit goes through.
func TestW20_BytesOfThePeerAreGivenBack(t *testing.T) {
	onDraftsWithFlowControl(t, enginetest.Options{MaxStreamsUni: 100, MaxStreamsBidi: 100, MaxData: 1 << 20}, func(t *testing.T, o enginetest.Options) {
		f := serveSessions(t, `{"receive_window": 4096, "webtransport": {"max_data": 65536}}`, func(f *sessionFixture, e event) {
			if e.Type == sink.EventSessionRequest {
				f.session(e.Object).Accept("", nil)
			}
		})
		s, _ := f.openSession(o)
		const size = 40000 // of which two do not fit
		for i := range 24 {
			data, opened := f.count(sink.EventStreamData), f.count(sink.EventStreamOpened)
			st, err := s.OpenUniStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			full := i%4 == 3
			if full { // what is read of the stream finds no room
				f.SetCapacity(1)
				f.Stall(true)
			}
			if err := st.SetDeadline(deadline()); err != nil {
				t.Fatal(err)
			}
			if n, err := st.Write(make([]byte, size)); err != nil {
				t.Fatalf("stream %d: %d bytes, %v", i, n, err)
			}
			if full {
				f.Stall(false)
			}
			h := f.nth(sink.EventStreamOpened, opened).Object
			switch i % 4 {
			case 0: // consumed
				st.Close()
				sum := 0
				f.wait("all of it", func(e event) bool {
					if e.Type == sink.EventStreamData && e.Object == h {
						sum += len(e.Data)
						n := uint64(len(e.Data))
						f.Do(func() {
							if st := f.stream(h); st != nil {
								st.Consumed(n)
							}
						})
					}
					return sum == size
				})
				eventually(t, "the end", func() bool { return f.count(sink.EventStreamEnded) == i+1 })
				continue
			case 1: // reset
				f.nth(sink.EventStreamData, data)
				st.CancelWrite(3)
			default: // stopped
				f.nth(sink.EventStreamData, data)
				f.Await(func() { f.stream(h).Stop(3) })
				st.CancelWrite(3)
			}
			f.SetCapacity(1 << 20)
			eventually(t, "the end", func() bool { return f.count(sink.EventStreamEnded) == i+1 })
		}
	})
}

// byHand is a client that leaves the credit of its sessions, and the account of it, to the test.
func byHand(o enginetest.Options) enginetest.Options {
	d := *o.Dialect
	d.FlowControl = false
	for id, value := range map[uint64]uint64{enginetest.SettingSessionMaxData: o.MaxData, enginetest.SettingSessionMaxStreamsUni: o.MaxStreamsUni, enginetest.SettingSessionMaxStreamsBidi: o.MaxStreamsBidi} {
		o.Settings = append(o.Settings, enginetest.Setting{ID: id, Value: value})
	}
	o.Dialect = &d
	return o
}

// W20: what was read of a stream, and waits for room in a full queue when the consumer stops it, was never delivered. Its credit comes back.
func TestW20_BytesThatAFullQueueKeepsBack(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"max_data": 65536}}`, nil)
	s, _ := f.openSession(enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsUni: 1, MaxStreamsBidi: 1, MaxData: 1})
	const size = 1000
	for i := range 80 { // more than all there is
		opened, data := f.count(sink.EventStreamOpened), f.count(sink.EventStreamData)
		st, err := s.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		write := func() {
			t.Helper()
			st.SetWriteDeadline(deadline())
			if _, err := st.Write(make([]byte, size)); err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		write()
		h := f.nth(sink.EventStreamOpened, opened).Object
		f.nth(sink.EventStreamData, data)
		f.Stall(true)
		f.SetCapacity(1)
		write()
		eventually(t, "a full queue", func() bool { return f.Bulk() > 0 })
		write()
		eventually(t, "a reader that waits", func() bool { return bytes.Contains(stacks(), []byte("(*Consumer).Reserve(")) })
		f.Await(func() { f.stream(h).Stop(3) })
		st.CancelWrite(3)
		f.SetCapacity(1 << 20)
		f.Stall(false)
		eventually(t, "the end", func() bool { return f.count(sink.EventStreamEnded) == i+1 })
	}
}

// W20: what the server may send: so much and no byte more, told once that it is held up; then as much as each raise allows, one byte even.
func TestW20_BytesOfTheServer(t *testing.T) {
	onDraftsWithFlowControl(t, enginetest.Options{MaxData: 1000, MaxStreamsUni: 10}, func(t *testing.T, o enginetest.Options) {
		f := serveSessions(t, "", nil)
		s, session := f.openSession(byHand(o))
		hs := []sink.Handle{f.Give(), f.Give(), f.Give()}
		f.Await(func() {
			for _, h := range hs {
				f.session(session).OpenStream(h, true, false)
			}
		})
		in := map[quic.StreamID]*enginetest.Stream{}
		for range hs {
			st, err := s.AcceptUniStream(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			in[st.StreamID()] = st
		}
		write := func(i, n int) *enginetest.Stream {
			f.Await(func() { f.stream(hs[i]).Write(sink.Chunk{Bytes: make([]byte, n)}) })
			id := f.wait("its begin", func(e event) bool { return e.Type == sink.EventStreamOpened && e.Object == hs[i] }).Aux
			return in[quic.StreamID(id)]
		}
		blocked := func(want uint64) {
			t.Helper()
			if n, err := s.WaitCapsule(enginetest.CapsuleDataBlocked).Number(); n != want || err != nil {
				t.Errorf("held up by %d, %v; want %d", n, err, want)
			}
		}
		readExactly(t, write(0, 600), 600)
		second := write(1, 3000)
		readExactly(t, second, 400)
		blocked(1000)
		readNothing(t, second)
		limit := uint64(1000)
		for _, more := range []int{1, 1, 500} {
			limit += uint64(more)
			s.SendCapsule(enginetest.CapsuleMaxData, limit)
			readExactly(t, second, more)
			blocked(limit)
			readNothing(t, second)
		}
		third := write(2, 1) // which waits, too, and says nothing
		s.SendCapsule(enginetest.CapsuleMaxData, 10000)
		readExactly(t, third, 1)
		readExactly(t, second, 3000-400-502)
		if got, want := capsules(s, enginetest.CapsuleDataBlocked), []uint64{1000, 1001, 1002, 1502}; !slices.Equal(got, want) {
			t.Errorf("it said that it is held up by %v, want %v", got, want)
		}
	})
}

// readNothing sees that nothing has come. What is sent all the same shows in the next exact read, too.
func readNothing(t *testing.T, st *enginetest.Stream) {
	t.Helper()
	if err := st.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := st.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func readExactly(t *testing.T, st *enginetest.Stream, n int) {
	t.Helper()
	if err := st.SetReadDeadline(deadline()); err != nil {
		t.Fatal(err)
	}
	if m, err := io.ReadFull(st, make([]byte, n)); err != nil {
		t.Fatalf("%d of %d bytes, %v", m, n, err)
	}
}

// W20: credit that a stream of ours took is what has left, and no byte more, when it is reset or stopped: the rest goes to others.
func TestW20_CreditOfStreamsThatAreGivenUp(t *testing.T) {
	const most, window = 20000, 4000
	for _, c := range []struct {
		name string
		end  func(f *sessionFixture, h sink.Handle, in *enginetest.Stream)
	}{
		{"reset", func(f *sessionFixture, h sink.Handle, _ *enginetest.Stream) { f.Await(func() { f.stream(h).Reset(4) }) }},
		{"stopped", func(_ *sessionFixture, _ sink.Handle, in *enginetest.Stream) { in.CancelRead(4) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			onDraftsWithFlowControl(t, enginetest.Options{MaxData: most, MaxStreamsUni: 10, WithholdSessionCredit: true, StreamWindow: window}, func(t *testing.T, o enginetest.Options) {
				f := serveSessions(t, "", nil)
				s, session := f.openSession(o)
				first, second := f.Give(), f.Give()
				f.Await(func() {
					f.session(session).OpenStream(first, true, false)
					f.stream(first).Write(sink.Chunk{Bytes: make([]byte, most)})
				})
				in, err := s.AcceptUniStream(ctx(t))
				if err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 1000) // so much is read, which opens the stream's window no further
				if _, err := io.ReadFull(in, buf); err != nil {
					t.Fatal(err)
				}
				c.end(f, first, in)
				f.wait("its end", func(e event) bool { return e.Type == sink.EventStreamEnded && e.Object == first })
				f.Await(func() {
					f.session(session).OpenStream(second, true, false)
					f.stream(second).Write(sink.Chunk{Bytes: make([]byte, most)})
				})
				if in, err = s.AcceptUniStream(ctx(t)); err != nil {
					t.Fatal(err)
				}
				got := make(chan int, 1)
				go func() { n, _ := io.Copy(io.Discard, in); got <- int(n) }()
				if n, err := s.WaitCapsule(enginetest.CapsuleDataBlocked).Number(); n != most || err != nil {
					t.Errorf("held up by %d, %v", n, err)
				}
				sent := f.DrainedOf(second)
				if used := most - sent; used <= 0 || used > window+100 {
					t.Errorf("the second stream sends %d of %d bytes: the first has used %d", sent, most, used)
				}
				s.Client().Close()
				if n := within(t, "the bytes", got); n > sent {
					t.Errorf("%d bytes came, %d were sent", n, sent)
				}
			})
		})
	}
}

// W20: streams that the server may open: those that wait do so in their order, say once for each limit that they do, and leave their place to
// others when they are given up.
func TestW20_StreamsOfTheServer(t *testing.T) {
	onDraftsWithFlowControl(t, enginetest.Options{MaxStreamsUni: 2, MaxData: 1 << 20}, func(t *testing.T, o enginetest.Options) {
		f := serveSessions(t, "", nil)
		s, session := f.openSession(byHand(o))
		var hs []sink.Handle
		for range 9 {
			hs = append(hs, f.Give())
		}
		f.Await(func() {
			for i, h := range hs {
				f.session(session).OpenStream(h, true, i != 3)
			}
		})
		if e := f.waitType(sink.EventStreamEnded); e.Object != hs[3] || e.Code != sink.ErrQueueFull {
			t.Errorf("%+v", e.Event)
		}
		f.Await(func() {
			f.stream(hs[4]).Reset(1) // given up
			f.stream(hs[6]).Reset(1)
		})
		s.SendCapsule(enginetest.CapsuleMaxStreamsUni, 4)
		f.nth(sink.EventStreamOpened, 3)
		if n, err := s.WaitCapsule(enginetest.CapsuleStreamsBlockedUni).Number(); n != 2 || err != nil {
			t.Errorf("held up by %d, %v", n, err)
		}
		if n, err := s.WaitCapsule(enginetest.CapsuleStreamsBlockedUni).Number(); n != 4 || err != nil {
			t.Errorf("held up by %d, %v", n, err)
		}
		s.SendCapsule(enginetest.CapsuleMaxStreamsUni, 6)
		f.nth(sink.EventStreamOpened, 5)
		f.mu.Lock()
		var opened []sink.Handle
		for _, e := range f.seen {
			if e.Type == sink.EventStreamOpened {
				opened = append(opened, e.Object)
			}
		}
		f.mu.Unlock()
		if want := []sink.Handle{hs[0], hs[1], hs[2], hs[5], hs[7], hs[8]}; !slices.Equal(opened, want) {
			t.Errorf("opened %v, want %v", opened, want)
		}
		if got := capsules(s, enginetest.CapsuleStreamsBlockedUni); !slices.Equal(got, []uint64{2, 4}) {
			t.Errorf("it said that it is held up by %v", got)
		}
	})
}

// W20: streams that are given up as soon as they are asked for, while they wait for QUIC's limit or the session's, or have something to send: the
// peer counts all that there were, so its credit does not run out.
func TestW20_StreamsThatAreGivenUpAtOnce(t *testing.T) {
	onDraftsWithFlowControl(t, enginetest.Options{MaxStreamsUni: 5, MaxStreamsBidi: 5, MaxData: 1 << 20, StreamsUni: 8, StreamsBidi: 4}, func(t *testing.T, o enginetest.Options) {
		f := serveSessions(t, "", nil)
		s, handle := f.openSession(o)
		go readAll(s.AcceptUniStream)
		go readAll(s.AcceptStream)
		const streams = 240
		for i := range streams / 12 {
			f.Await(func() {
				for j := range 12 {
					h := f.Give()
					f.session(handle).OpenStream(h, j%2 == 0, true)
					st := f.stream(h)
					if j%3 == 0 {
						st.Write(sink.Chunk{Bytes: make([]byte, 20<<10)})
					}
					st.Reset(uint32(i))
					st.Stop(uint32(i))
				}
			})
		}
		eventually(t, "their ends", func() bool { return f.count(sink.EventStreamEnded) == streams })
		for _, uni := range []bool{true, false} { // as many as the limit allows at once
			last := []sink.Handle{f.Give(), f.Give(), f.Give(), f.Give()}
			n := f.count(sink.EventStreamOpened)
			f.Await(func() {
				for _, h := range last {
					f.session(handle).OpenStream(h, uni, true)
				}
			})
			f.nth(sink.EventStreamOpened, n+3)
			f.Await(func() {
				for _, h := range last {
					st := f.stream(h)
					if st == nil {
						t.Errorf("a stream of the last, unidirectional %v, has ended", uni)
						continue
					}
					st.Reset(0)
					st.Stop(0)
				}
			})
		}
	})
}

// readAll reads what comes until the session ends.
func readAll(accept func(context.Context) (*enginetest.Stream, error)) {
	for {
		st, err := accept(context.Background())
		if err != nil {
			return
		}
		go func() {
			io.Copy(io.Discard, st)
			st.CancelWrite(0)
		}()
	}
}

// W20: streams that come before the session is open and are refused count all the same: the limit is raised for them as soon as it is open.
func TestW20_StreamsThatWereRefusedEarly(t *testing.T) {
	onDraftsWithFlowControl(t, enginetest.Options{MaxStreamsUni: 5, MaxData: 1 << 20}, func(t *testing.T, o enginetest.Options) {
		f := serveSessions(t, `{"webtransport": {"max_early_streams": 1, "max_streams_uni": 4}}`, func(*sessionFixture, event) {})
		c := enginetest.Dial(t, f.addr, o)
		c.Settings()
		connect := c.OpenRequest()
		refused := func(st *quic.SendStream) {
			t.Helper()
			within(t, "the refusal", st.Context().Done())
			var stop *quic.StreamError
			if err := context.Cause(st.Context()); !errors.As(err, &stop) || stop.ErrorCode != enginetest.CodeBufferedStreamRejected {
				t.Errorf("refused with %v", err)
			}
		}
		header := varints(uniStreamOfSession, connect.ID())
		kept := c.Uni(join(header, []byte("early")))
		eventually(t, "the first", func() bool {
			st := c.Uni(header)
			<-st.Context().Done()
			refused(st)
			return true
		})
		if err := connect.SendHeaders(c.SessionFields("/wt")...); err != nil {
			t.Fatal(err)
		}
		session := f.waitType(sink.EventSessionRequest).Object
		refused(c.Uni(header))
		f.Await(func() { f.session(session).Accept("", nil) })
		if resp, err := connect.ReadResponse(); err != nil || resp.Status != 200 {
			t.Fatal(resp, err)
		}
		got := make([]byte, len(varints(wire.CapsuleMaxStreamsUni, 1, 6)))
		if _, err := io.ReadFull(connect, got); err != nil || string(got) != string(varints(wire.CapsuleMaxStreamsUni, 1, 6)) {
			t.Errorf("%x, %v", got, err)
		}
		if e := f.waitType(sink.EventStreamData); string(e.Data) != "early" {
			t.Errorf("%q", e.Data)
		}
		kept.Close()
	})
}

// deadline bounds a wait.
func deadline() time.Time { return time.Now().Add(patience) }
