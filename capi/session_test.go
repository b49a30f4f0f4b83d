package main

import (
	"encoding/binary"
	"testing"
	"time"

	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

// State bits and numbers of handle.h and zig_h3.h: a test cannot ask C for them.
const (
	slotEnded   = 1 << 6
	slotReset   = 1 << 7
	slotStopped = 1 << 8
	slotOpen    = 1 << 11

	submitUnidirectional = 0x8
)

func commit(s *queueSink, ev sink.Event) {
	r, _ := s.Reserve(sink.Terminal, int(ev.DataLen), nil)
	s.Commit(r, &ev)
}

func TestDatagramPlacesAreAddedToWhatIsLeft(t *testing.T) {
	s, _ := testSink(t, 1000)
	h, _ := s.Issue(sink.KindConn, 0, sender{})
	defer s.Release(h)
	p := &slots[indexOf(uint64(h))]
	if got := p.datagrams.Load(); got != 0 {
		t.Fatalf("%#x before anything was given", got)
	}
	s.Datagrams(h, 1200, 256)
	p.datagrams.Add(^uint32(9)) // the host has sent ten, of which the engine has seen four leave
	s.Datagrams(h, 1100, 4)
	if got, want := p.datagrams.Load(), uint32(1100<<16|250); got != want {
		t.Fatalf("%d bytes, %d places instead of 1100 and 250", got>>16, got&0xffff)
	}
	s.Datagrams(h, 1<<20, 1<<20)
	if got := p.datagrams.Load(); got != 0xffffffff {
		t.Fatalf("%#x: limits have 16 bits", got)
	}
}

// A sender counts what it is given.
type sender struct{ got *[]string }

func (s sender) SendDatagram(data []byte, maxAge time.Duration) {
	*s.got = append(*s.got, string(data)+" "+maxAge.String())
}

func (s sender) DatagramOversized() { *s.got = append(*s.got, "oversized") }

// appendDatagram packs as zig_h3_send_datagrams does.
func appendDatagram(list []byte, object uint64, data string, maxAgeMs uint32) []byte {
	list = binary.NativeEndian.AppendUint64(list, object)
	list = binary.NativeEndian.AppendUint32(list, uint32(len(data)))
	list = binary.NativeEndian.AppendUint32(list, maxAgeMs)
	list = append(list, make([]byte, 8)...)
	list = append(list, data...)
	return append(list, make([]byte, eventq.DataOffset(len(data))-len(data))...)
}

func TestARecordOfManyDatagramsIsTakenApart(t *testing.T) {
	s, _ := testSink(t, 1000)
	var got []string
	h, _ := s.Issue(sink.KindConn, 0, sender{&got})
	defer s.Release(h)
	gone, _ := s.Issue(sink.KindConn, 0, sender{&got})
	s.Release(gone)
	var list []byte
	list = appendDatagram(list, uint64(h), "one", 5)
	list = appendDatagram(list, uint64(gone), "lost", 0)
	list = appendDatagram(list, uint64(h), "", 0)
	list = appendDatagram(list, uint64(h), "eight by", 1000)
	sendDatagrams(list)
	want := []string{"one 5ms", " 0s", "eight by 1s"}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Fatalf("%q instead of %q", got, want)
	}
}

func TestADatagramOfAKindThatSendsNoneIsNotPassedOver(t *testing.T) {
	defer func() {
		if told := recover(); told != "a datagram of a handle of kind 2" {
			t.Fatalf("%v", told)
		}
	}()
	sendDatagrams(appendDatagram(nil, kindServer<<kindShift|1<<generationShift, "one", 0))
}

func TestTheSlotKnowsTheStateOfASession(t *testing.T) {
	s, _ := testSink(t, 1000)
	s.number = 77
	h, ok := s.Issue(sink.KindSession, 0, new(session.Session))
	if !ok {
		t.Fatal("no slot left")
	}
	p := &slots[indexOf(uint64(h))]
	if p.object.Load() == 0 || p.codes.Load() != 77 || p.account.Load() != s.account {
		t.Fatalf("struct %#x, sink %d, account %d", p.object.Load(), p.codes.Load(), p.account.Load())
	}
	before := p.object.Load()
	s.Offered(h, []string{"chat", "chat-2"})
	if p.object.Load() == before {
		t.Fatal("what was offered went nowhere")
	}
	s.SessionStats(h, &sink.SessionStats{1, 2, 3})
	if p.word.Load()&slotOpen != 0 {
		t.Fatal("open before SESSION_OPENED")
	}
	commit(s, sink.Event{Type: sink.EventSessionOpened, Object: h})
	if p.word.Load()&slotOpen == 0 {
		t.Fatal("not open behind SESSION_OPENED")
	}
	s.Release(h)
	if p.object.Load() != 0 {
		t.Fatal("its struct outlived it")
	}
	s.SessionStats(h, &sink.SessionStats{1}) // of one that has ended: nothing happens
}

func TestTheSlotKnowsWhichSidesOfAStreamAreOver(t *testing.T) {
	for name, c := range map[string]struct {
		ev   sink.Event
		want uint64
	}{
		"the peer's, both ways":  {sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote, Status: 0}, 0},
		"the peer's, one way":    {sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote, Status: 1}, slotEnded | slotReset},
		"ours, one way":          {sink.Event{Type: sink.EventStreamOpened, Status: 1}, 0}, // zig_h3_wt_open_stream has said it
		"data":                   {sink.Event{Type: sink.EventStreamData, DataLen: 5}, 0},
		"the last data":          {sink.Event{Type: sink.EventStreamData, DataLen: 5, Flags: sink.FlagEnd}, slotStopped},
		"reset by the peer":      {sink.Event{Type: sink.EventStreamReset}, slotStopped},
		"stopped by the peer":    {sink.Event{Type: sink.EventStreamStopped}, slotEnded | slotReset},
		"everything was written": {sink.Event{Type: sink.EventWritable, Flags: sink.FlagEnd}, 0},
	} {
		s, _ := testSink(t, 1000)
		h, _ := s.Issue(sink.KindStream, 9, new(session.Stream))
		p := &slots[indexOf(uint64(h))]
		c.ev.Object = h
		commit(s, c.ev)
		if got := p.word.Load() & (slotEnded | slotReset | slotStopped); got != c.want {
			t.Errorf("%s: state %#x instead of %#x", name, got, c.want)
		}
		if got := arrivedOf(uint64(h)); got != c.ev.DataLen {
			t.Errorf("%s: %d bytes arrived", name, got)
		}
		s.Release(h)
	}
}

func TestWritableOfAStreamNamesItsSession(t *testing.T) {
	s, ring := testSink(t, 1000)
	h, _ := s.Issue(sink.KindStream, 9, new(session.Stream))
	defer s.Release(h)
	charge(s, uint64(h), 1000)
	refuse(uint64(h))
	s.Drained(h, 1000)
	if got := take(ring); len(got) != 1 || got[0].Parent != 9 || got[0].Aux != 1000 {
		t.Fatalf("events %+v", got)
	}
}

// hostStream stands for zig_h3_wt_open_stream.
func hostStream(t *testing.T) uint64 {
	t.Helper()
	h, ok := issue(kindStream, 0)
	if !ok {
		t.Fatal("no slot left")
	}
	return h
}

func TestAStreamOfTheHostIsBoundByTheEngine(t *testing.T) {
	s, _ := testSink(t, 1000)
	h, stream := hostStream(t), new(session.Stream)
	if !s.IssueFor(sink.Handle(h), stream) {
		t.Fatal("not bound")
	}
	if got, of := objectOf[session.Stream](h, kindStream); got != stream || of != s {
		t.Fatal("bound to something else")
	}
	release(h)
	if s.IssueFor(sink.Handle(h), stream) {
		t.Fatal("bound after its end")
	}
	conn, _ := issue(kindConn, 0)
	defer release(conn)
	if s.IssueFor(sink.Handle(conn), stream) {
		t.Fatal("a connection was bound to a stream")
	}
}

func TestAStreamOpenedAsItsSessionEndsHasItsOneEnd(t *testing.T) {
	s, ring := testSink(t, 1000)
	s.enrol()
	session, _ := s.Issue(sink.KindSession, 0, new(session.Session))
	s.Release(session)
	h := hostStream(t)
	openStream(&eventq.Head{Object: uint64(session), Aux: h, Flags: submitUnidirectional, Status: s.number})
	got := take(ring)
	if len(got) != 1 || sink.EventType(got[0].Type) != sink.EventStreamEnded || got[0].Object != h ||
		got[0].Parent != uint64(session) || sink.Code(got[0].Code) != sink.ErrClosed || got[0].Status != 1 {
		t.Fatalf("events %+v", got)
	}
	if (slots[indexOf(h)].word.Load()^h)&nameMask == 0 {
		t.Fatal("its handle is still good")
	}

	s.server.dismiss()
	h = hostStream(t)
	openStream(&eventq.Head{Object: uint64(session), Aux: h, Status: s.number})
	if got := take(ring); len(got) != 0 || (slots[indexOf(h)].word.Load()^h)&nameMask == 0 {
		t.Fatalf("without its server: %d events", len(got))
	}
}

func TestAttentionWaitsForAStreamThatIsNotBoundYet(t *testing.T) {
	holdReactor(t)
	h := hostStream(t)
	p := &slots[indexOf(h)]
	const reset = 1 << 3
	bits := h&(generationMask<<generationShift) | reset
	attendStream(p, h, bits)
	for range 3 {
		if got := p.attention.Load(); got != bits {
			t.Fatalf("attention %#x instead of %#x", got, bits)
		}
		attend()
	}
	release(h)
	attend()
	if got := p.attention.Load(); got != 0 || table.attention.Load() != 0 {
		t.Fatalf("attention %#x for one that has ended", got)
	}
}

func TestA08_LostDatagramsAreCountedByType(t *testing.T) {
	s, ring := testSink(t, 1000)
	q := &queue{events: s.events}
	for {
		r, ok := s.Reserve(sink.Patient, 1000, nil)
		if !ok {
			break
		}
		s.Commit(r, &sink.Event{Type: sink.EventH3Datagram, DataLen: 1000})
	}
	for range 4 {
		if _, ok := s.Reserve(sink.Lossy, 1000, nil); ok {
			t.Fatal("room for more")
		}
	}
	for typ, n := range map[sink.EventType]uint64{sink.EventH3Datagram: 1, sink.EventSessionDatagram: 2, sink.EventQUICDatagram: 3} {
		s.Lose(typ, n)
	}
	room := s.Room()
	take(ring)
	q.events.Refill()
	select {
	case <-room:
	default:
		t.Error("nobody says that there is room")
	}
	q.events.TakeLost(q.reportLost)
	lost := map[sink.EventType]uint64{}
	for _, h := range take(ring) {
		lost[sink.EventType(h.Status)] = h.Aux
	}
	want := map[sink.EventType]uint64{sink.EventH3Datagram: 1, sink.EventSessionDatagram: 2, sink.EventQUICDatagram: 3, sink.EventLog: 4}
	for typ, n := range want {
		if lost[typ] != n {
			t.Errorf("type %d: %d lost instead of %d", typ, lost[typ], n)
		}
	}
	if len(lost) != len(want) {
		t.Errorf("lost %v", lost)
	}
}
