package message

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"pgregory.net/rapid"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A tap is a line that takes bytes as far as the test lets it.
type tap struct {
	mu    sync.Mutex
	moved sync.Cond
	room  int
	fails error
	stall time.Duration // of the last Write

	taken      []byte
	pieces     []string // what each call took
	boundaries []int    // bytes that were in front of each reliable boundary
	ended      bool
}

const open = 1 << 40 // room that never ends

func newTap(room int) *tap {
	l := &tap{room: room}
	l.moved.L = &l.mu
	return l
}

// text is how a part's head and trailers stand among the bytes.
func text(p *Part) (head, trailers string) {
	if p.Head {
		head = fmt.Sprintf("<%d>", p.Status)
	}
	if p.HasTrailers {
		trailers = fmt.Sprintf("<%s>", p.Trailers)
	}
	return head, trailers
}

// took is called with l.mu held.
func (l *tap) took(how string, p *Part) {
	l.pieces = append(l.pieces, fmt.Sprint(how, " ", len(p.Body.Bytes)))
	if p.Reliable {
		l.boundaries = append(l.boundaries, len(l.taken))
	}
	l.ended = l.ended || p.End
}

func (l *tap) TryWrite(p *Part) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	head, trailers := text(p)
	switch n := len(p.Body.Bytes); {
	case l.fails != nil:
		return l.fails
	case n > l.room || l.room == 0:
		return quic.ErrWouldBlock
	default:
		l.room -= n
	}
	l.taken = slices.Concat(l.taken, []byte(head), p.Body.Bytes, []byte(trailers))
	l.took("try", p)
	return nil
}

func (l *tap) Write(p *Part, stall time.Duration, progress func(n int)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stall = stall
	head, trailers := text(p)
	l.taken = append(l.taken, head...)
	for b := p.Body.Bytes; ; {
		for l.room == 0 && l.fails == nil {
			l.moved.Wait()
		}
		if l.fails != nil {
			return l.fails
		}
		n := min(l.room, len(b))
		l.room -= n
		l.taken = append(l.taken, b[:n]...)
		if n > 0 {
			l.mu.Unlock()
			progress(n)
			l.mu.Lock()
		}
		if b = b[n:]; len(b) == 0 {
			break
		}
	}
	l.taken = append(l.taken, trailers...)
	l.took("write", p)
	return nil
}

// let gives room for n bytes more.
func (l *tap) let(n int) {
	l.mu.Lock()
	l.room += n
	l.moved.Broadcast()
	l.mu.Unlock()
}

func (l *tap) fail(err error) {
	l.mu.Lock()
	l.fails = err
	l.moved.Broadcast()
	l.mu.Unlock()
}

// A sender owns an outbox.
type sender struct {
	sync.Mutex
	t      testing.TB
	box    Outbox
	begins int
	refuse bool // goroutines
	over   bool

	leftMu  sync.Mutex   // Left is called with the lock and without it
	left    map[bool]int // bytes, by whether the consumer is to know
	told    []string     // Atomic, Flushed and Failed, in order
	err     error        // of Failed
	running int
}

func newSender(t testing.TB, line Line, stall time.Duration) *sender {
	s := &sender{t: t, left: map[bool]int{}}
	s.box.Init(s, line, stall)
	return s
}

func (s *sender) Begin(_ string, f func()) bool {
	if s.refuse {
		return false
	}
	s.begins++
	if s.running++; s.running > 1 {
		s.t.Error("two writers")
	}
	go f()
	return true
}

func (s *sender) Leave() { s.running-- }

func (s *sender) Left(p *Part, n int) {
	s.leftMu.Lock()
	s.left[p.Counted] += n
	s.leftMu.Unlock()
}

func (s *sender) Atomic(n int, err error) {
	s.told = append(s.told, fmt.Sprintf("atomic %d %v", n, err))
}
func (s *sender) Flushed()   { s.told = append(s.told, "flushed"); s.over = true }
func (s *sender) Rested()    {}
func (s *sender) Over() bool { return s.over }
func (s *sender) Failed(err error) {
	s.told, s.err = append(s.told, fmt.Sprint("failed: ", err)), err
	s.over = true
}

func (s *sender) put(parts ...Part) {
	s.Lock()
	defer s.Unlock()
	for i := range parts {
		s.box.Put(&parts[i])
	}
}

// rest waits until nothing is left to write, or nothing is to be written any more, and the writer has gone.
func (s *sender) rest() {
	s.t.Helper()
	for end := time.Now().Add(enginetest.Patience); ; time.Sleep(20 * time.Microsecond) {
		s.Lock()
		rests := s.running == 0 && (s.over || s.box.Idle())
		s.Unlock()
		if rests {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("the writer goes on")
		}
	}
}

// An account counts what its chunks were given back for.
type account struct {
	t    testing.TB
	lent atomic.Int64
	back atomic.Int64
	mu   sync.Mutex
	out  map[*byte]bool
}

func newAccount(t testing.TB) *account { return &account{t: t, out: map[*byte]bool{}} }

func (a *account) chunk(b []byte) sink.Chunk {
	b = slices.Clone(b)
	a.mu.Lock()
	a.out[&b[0]] = true
	a.mu.Unlock()
	a.lent.Add(1)
	return sink.Chunk{Bytes: b, Owner: a}
}

func (a *account) Release(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.out[&b[0]] {
		a.t.Error("a chunk was given back twice")
	}
	delete(a.out, &b[0])
	clear(b) // whoever reads it now reads nonsense
	a.back.Add(1)
}

func (a *account) settled() {
	a.t.Helper()
	if lent, back := a.lent.Load(), a.back.Load(); lent != back {
		a.t.Errorf("%d chunks lent, %d given back", lent, back)
	}
}

func body(s string) Part      { return Part{Body: sink.Chunk{Bytes: []byte(s)}} }
func counted(s string) Part   { p := body(s); p.Counted = true; return p }
func inOne(s string) Part     { p := body(s); p.Atomic = true; return p }
func long(n int) string       { return strings.Repeat("x", n) }
func boundary() Part          { return Part{Reliable: true} }
func last(s string) Part      { p := body(s); p.End = true; return p }
func (s *sender) has() string { return strings.Join(s.told, ", ") }

func TestOutboxKeepsTheOrder(t *testing.T) {
	l := newTap(3)
	s := newSender(t, l, time.Second)
	s.put(Part{Head: true, Status: 200}, body("abc"), body("def"), Part{Body: sink.Chunk{Bytes: []byte("g")}, HasTrailers: true, Trailers: []byte("t"), End: true})
	l.let(open)
	s.rest()
	if string(l.taken) != "<200>abcdefg<t>" || !l.ended || s.has() != "flushed" || l.stall != time.Second {
		t.Errorf("%q, %s", l.taken, s.has())
	}
}

// What waits costs no more than its bytes: small pieces become one. What must arrive as it is does not join, and nothing joins it.
func TestOutboxJoins(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []Part
		want  string
	}{
		{"small ones", []Part{body("a"), body("b"), body("c")}, "write 3"},
		{"the end", []Part{body("a"), last("")}, "write 1"},
		{"up to a size", []Part{body(long(JoinedPiece - 1)), body("b"), body("c"), body("d")}, fmt.Sprint("write ", JoinedPiece, ", write 2")},
		{"a boundary stays behind what it is for", []Part{body("a"), boundary(), body("b"), body("c")}, "write 1, write 0, write 2"},
		{"atomic ones stay whole", []Part{body("a"), inOne("bb"), inOne("ccc"), body("d")}, "write 1, try 2, try 3, write 1"},
		{"what the consumer hears of, and what it does not", []Part{counted("a"), body("b"), body("c"), counted("d"), counted("e")}, "write 1, write 2, write 2"},
		{"an empty one is of either kind", []Part{counted("a"), last("")}, "write 1"},
		{"and becomes what joins it", []Part{body(""), counted("a"), body("b")}, "write 1, write 1"},
		{"heads and trailers", []Part{{Head: true, Status: 200}, body("a"), {HasTrailers: true, End: true}}, "write 1, write 0"},
	} {
		l := newTap(0)
		s := newSender(t, l, 0)
		s.refuse = true
		s.put(c.parts...)
		s.Lock()
		s.refuse = false
		s.box.Kick()
		s.Unlock()
		l.let(open)
		s.rest()
		if got := strings.Join(l.pieces, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		counts := map[bool]int{}
		for i := range c.parts {
			counts[c.parts[i].Counted] += len(c.parts[i].Body.Bytes)
		}
		if s.left[true] != counts[true] {
			t.Errorf("%s: the consumer heard of %d bytes, not %d", c.name, s.left[true], counts[true])
		}
	}
}

// Owned bytes are not copied, so they do not join.
func TestOutboxLeavesOwnedChunksAlone(t *testing.T) {
	a := newAccount(t)
	l := newTap(0)
	s := newSender(t, l, 0)
	s.refuse = true
	s.put(body("a"), Part{Body: a.chunk([]byte("bb"))}, body("ccc"), body("d"))
	s.Lock()
	s.refuse = false
	s.box.Kick()
	s.Unlock()
	l.let(open)
	s.rest()
	if got := strings.Join(l.pieces, ", "); got != "write 1, write 2, write 4" || string(l.taken) != "abbcccd" {
		t.Errorf("%s: %q", got, l.taken)
	}
	a.settled()
}

func TestOutboxAtomicParts(t *testing.T) {
	l := newTap(5)
	s := newSender(t, l, 0)
	a := newAccount(t)
	atomicOwned := func(b string) Part { return Part{Body: a.chunk([]byte(b)), Atomic: true} }
	s.put(atomicOwned("abc"), atomicOwned("def"), atomicOwned("gh"), atomicOwned("i"))
	if got, want := s.has(), "atomic 3 <nil>, atomic 3 "+quic.ErrWouldBlock.Error()+", atomic 2 <nil>, atomic 1 "+quic.ErrWouldBlock.Error(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if string(l.taken) != "abcgh" || s.left[false] != 5 || s.begins != 0 {
		t.Errorf("%q, %v left", l.taken, s.left)
	}
	l.fail(os.ErrClosed)
	s.put(atomicOwned("x"))
	if got := s.told[4:]; !slices.Equal(got, []string{"atomic 1 file already closed", "failed: file already closed"}) {
		t.Errorf("%q", got)
	}
	a.settled()
}

// The inline budget holds back a consumer that is faster than its peer: beyond it a goroutine waits.
func TestOutboxInlineBudget(t *testing.T) {
	l := newTap(open)
	s := newSender(t, l, 0)
	for range InlineTotal / InlineWrite {
		s.put(body(long(InlineWrite)))
	}
	if s.begins != 0 {
		t.Fatal("a writer within the budget")
	}
	s.put(inOne(long(InlineWrite))) // counts, but asks for none
	if s.begins != 0 {
		t.Fatal("a writer for an atomic part")
	}
	s.put(body("x"))
	s.rest()
	if s.begins != 1 {
		t.Fatal("no writer beyond the budget")
	}
	s.put(body("x")) // the writer has waited for all: it begins anew
	s.put(body(long(InlineWrite + 1)))
	s.rest()
	if s.begins != 2 {
		t.Errorf("%d writers", s.begins)
	}
	for range 2 * InlineTotal / InlineWrite {
		s.put(body(long(InlineWrite)))
		s.Lock()
		s.box.Fresh()
		s.Unlock()
	}
	if s.begins != 2 {
		t.Errorf("a writer for what is fresh")
	}
	tries := 0
	for _, p := range l.pieces {
		if strings.HasPrefix(p, "try") {
			tries++
		}
	}
	if want := InlineTotal/InlineWrite + 1 + 1 + 2*InlineTotal/InlineWrite; tries != want || len(l.pieces) != want+2 {
		t.Errorf("%d of %d pieces at once, want %d", tries, len(l.pieces), want)
	}
}

// What is put while the writer writes goes with it; one goroutine writes it all.
func TestOutboxFedWhileWriting(t *testing.T) {
	l := newTap(0)
	s := newSender(t, l, 0)
	var want []byte
	for i := range 300 {
		p := fmt.Appendf(nil, "%d,", i)
		want = append(want, p...)
		s.put(Part{Body: sink.Chunk{Bytes: p}})
		clear(p) // its memory was the call's
		l.let(3)
	}
	s.put(last(""))
	l.let(open)
	s.rest()
	if !bytes.Equal(l.taken, want) || s.begins < 1 || s.has() != "flushed" {
		t.Errorf("%q, %d writers, %s", l.taken, s.begins, s.has())
	}
	s.Lock()
	defer s.Unlock()
	if !s.box.Idle() || s.box.Waiting() != 0 {
		t.Error("something waits")
	}
}

// A queue that is never empty does not grow for what has left it.
func TestOutboxQueueIsUsedAgain(t *testing.T) {
	l := newTap(0)
	s := newSender(t, l, 0)
	a := newAccount(t)
	s.put(Part{Body: a.chunk([]byte("x"))}, Part{Body: a.chunk([]byte("y"))})
	for range 1000 {
		s.put(Part{Body: a.chunk([]byte("x"))}, Part{Body: a.chunk([]byte("y"))})
		l.let(2)
		for waiting := true; waiting; {
			s.Lock()
			waiting = s.box.Waiting() > 2
			s.Unlock()
		}
	}
	s.Lock()
	if n := cap(s.box.queue); n > 16 {
		t.Errorf("room for %d parts", n)
	}
	s.Unlock()
	s.put(last(""))
	l.let(open)
	s.rest()
	a.settled()
}

func TestOutboxDrops(t *testing.T) {
	a := newAccount(t)
	l := newTap(0)
	s := newSender(t, l, 0)
	for range 5 {
		s.put(Part{Body: a.chunk([]byte("abc"))}, body("d"))
	}
	s.Lock()
	s.over = true
	s.box.Drop()
	s.box.Drop()
	if s.box.Waiting() != 0 {
		t.Error("something waits")
	}
	s.Unlock()
	l.fail(os.ErrClosed) // what was being written
	s.rest()
	a.settled()
	if a.lent.Load() != 5 || len(l.taken) != 0 {
		t.Errorf("%q", l.taken)
	}
	s.Lock()
	defer s.Unlock()
	s.box.Reset()
	if !s.box.Idle() || s.box.inline != 0 {
		t.Error("not as new")
	}
}

func TestOutboxFails(t *testing.T) {
	for _, waits := range []bool{false, true} {
		a := newAccount(t)
		l := newTap(0)
		s := newSender(t, l, 0)
		if !waits {
			l.fail(os.ErrDeadlineExceeded)
		}
		s.put(Part{Body: a.chunk([]byte("abc"))})
		if waits {
			l.fail(os.ErrDeadlineExceeded)
			s.rest()
		}
		if s.has() != "failed: "+os.ErrDeadlineExceeded.Error() {
			t.Errorf("waits: %v: %s", waits, s.has())
		}
		a.settled()
	}
}

// Where no goroutine can be had yet, what is put waits for Kick.
func TestOutboxWithoutAWriter(t *testing.T) {
	l := newTap(0)
	s := newSender(t, l, 0)
	s.refuse = true
	s.put(body("a"), body("b"))
	l.let(open)
	s.put(body("c")) // not in front of what waits
	if len(l.taken) > 0 {
		t.Errorf("%q", l.taken)
	}
	s.Lock()
	s.refuse = false
	s.box.Kick()
	s.box.Kick()
	s.Unlock()
	s.rest()
	if string(l.taken) != "abc" || s.begins != 1 {
		t.Errorf("%q, %d writers", l.taken, s.begins)
	}
}

// Whatever is put, however the peer takes it: every byte arrives once and in order, boundaries stand where they were put, atomic parts
// are there as a whole or not at all, each is told of once, and every chunk goes back once.
func TestOutboxModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := newAccount(t)
		l := newTap(rapid.IntRange(0, 100_000).Draw(r, "room"))
		s := newSender(t, l, 0)
		sizes := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(InlineWrite-1, InlineWrite+1), rapid.IntRange(JoinedPiece-20, JoinedPiece+20))
		done := make(chan struct{})
		stop := make(chan struct{})
		gives := rapid.SliceOfN(rapid.OneOf(rapid.Just(1), rapid.IntRange(20_000, 200_000)), 2, 20).Filter(func(g []int) bool { return slices.Max(g) > 1 }).Draw(r, "gives")
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					l.let(gives[i%len(gives)])
					time.Sleep(10 * time.Microsecond)
				}
			}
		}()
		var pieces [][]byte // what was put; atomic ones apart
		var kinds []bool    // whether the consumer is to know
		var atomics []int   // of pieces
		var marks []int     // of pieces: how many are in front of a boundary
		sent := map[bool]int{}
		for i := range rapid.IntRange(1, 60).Draw(r, "parts") {
			p := Part{Counted: rapid.Bool().Draw(r, "counted"), Atomic: rapid.IntRange(0, 5).Draw(r, "atomic") == 0, Reliable: rapid.IntRange(0, 7).Draw(r, "reliable") == 0}
			b := bytes.Repeat([]byte{byte(i + 1)}, sizes.Draw(r, "size"))
			if len(b) == 0 {
				p.Atomic = false
			}
			if p.Atomic {
				atomics = append(atomics, len(pieces))
				p.Reliable = false
			} else {
				sent[p.Counted] += len(b)
			}
			pieces, kinds = append(pieces, b), append(kinds, p.Counted)
			if p.Reliable {
				marks = append(marks, len(pieces))
			}
			if len(b) > 0 && rapid.Bool().Draw(r, "owned") {
				p.Body = a.chunk(b)
				s.put(p)
			} else {
				lent := slices.Clone(b)
				p.Body.Bytes = lent
				s.put(p)
				clear(lent)
			}
		}
		s.put(last(""))
		s.rest()
		close(stop)
		<-done
		s.Lock()
		defer s.Unlock()
		if len(s.told) != len(atomics)+1 || s.told[len(atomics)] != "flushed" {
			r.Fatalf("%q for %d atomic parts", s.told, len(atomics))
		}
		for i, at := range atomics {
			switch n := len(pieces[at]); s.told[i] {
			case fmt.Sprintf("atomic %d <nil>", n):
				sent[kinds[at]] += n
			case fmt.Sprintf("atomic %d %v", n, quic.ErrWouldBlock):
				pieces[at] = nil
			default:
				r.Fatalf("%s for an atomic part of %d", s.told[i], n)
			}
		}
		want := slices.Concat(pieces...)
		if !bytes.Equal(l.taken, want) {
			r.Fatalf("%d bytes arrived, not the %d that were put", len(l.taken), len(want))
		}
		var boundaries []int
		for _, n := range marks {
			boundaries = append(boundaries, len(slices.Concat(pieces[:n]...)))
		}
		if !slices.Equal(l.boundaries, boundaries) {
			r.Fatalf("boundaries at %v, want %v", l.boundaries, boundaries)
		}
		if s.left[true] != sent[true] || s.left[false] != sent[false] {
			r.Fatalf("bytes that left: %v, want %v", s.left, sent)
		}
		a.settled()
	})
}

// A failure in the middle gives everything back.
func TestOutboxModelOfFailures(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := newAccount(t)
		l := newTap(rapid.IntRange(0, 50_000).Draw(r, "room"))
		s := newSender(t, l, 0)
		failAt := rapid.IntRange(0, 20).Draw(r, "fails at")
		for i := range 20 {
			if i == failAt {
				l.fail(errors.New("ouch"))
			}
			p := Part{Body: a.chunk(make([]byte, rapid.IntRange(1, 20_000).Draw(r, "size")))}
			s.Lock()
			if s.over {
				p.Body.Release() // as every owner does
			} else {
				s.box.Put(&p)
			}
			s.Unlock()
		}
		l.fail(errors.New("ouch"))
		s.rest()
		s.Lock()
		s.box.Drop()
		s.Unlock()
		if s.over && s.has() != "failed: ouch" {
			r.Fatalf("%s", s.has())
		}
		a.settled()
	})
}
