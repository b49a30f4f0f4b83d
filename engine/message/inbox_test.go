package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"zigh3/engine/enginetest"
)

// A well is a source that the test fills.
type well struct {
	mu    sync.Mutex
	moved sync.Cond
	bytes []byte
	err   error // behind the bytes
	waits []time.Duration
	reads []int // what was asked for
}

func newWell(s string, err error) *well {
	w := &well{bytes: []byte(s), err: err}
	w.moved.L = &w.mu
	return w
}

func (w *well) fill(b []byte, err error) {
	w.mu.Lock()
	w.bytes, w.err = append(w.bytes, b...), err
	w.moved.Broadcast()
	w.mu.Unlock()
}

func (w *well) Wait(timeout time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = append(w.waits, timeout)
	for len(w.bytes) == 0 && w.err == nil {
		w.moved.Wait()
	}
	if len(w.bytes) == 0 && w.err != io.EOF {
		return w.err
	}
	return nil
}

func (w *well) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads = append(w.reads, len(p))
	n := copy(p, w.bytes)
	w.bytes = w.bytes[n:]
	if len(w.bytes) == 0 {
		return n, w.err
	}
	return n, nil
}

// reset ends the stream as a peer's reset does: what was not read is gone.
func (w *well) reset(err error) {
	w.mu.Lock()
	w.bytes, w.err = nil, err
	w.moved.Broadcast()
	w.mu.Unlock()
}

// A reader owns an inbox.
type reader struct {
	sync.Mutex
	t    testing.TB
	box  Inbox
	got  []byte
	ends int
	most uint64     // bytes that were with the consumer
	over chan error // what Run ended with
}

func newReader(t testing.TB, source Source, window int, timeout time.Duration) *reader {
	r := &reader{t: t, over: make(chan error, 1)}
	r.box.Init(r, source, window, timeout)
	return r
}

func (r *reader) give(data []byte, end bool) error {
	r.Lock()
	defer r.Unlock()
	if r.ends > 0 {
		r.t.Error("something behind the end")
	}
	if len(data) == 0 && !end {
		r.t.Error("nothing was given")
	}
	r.got = append(r.got, data...)
	r.box.Delivered(len(data))
	r.most = max(r.most, r.box.delivered-r.box.consumed)
	if end {
		r.ends++
	}
	return nil
}

func (r *reader) run() *reader {
	go func() { r.over <- r.box.Run(r.give) }()
	return r
}

func (r *reader) consumed(n uint64) uint64 {
	r.Lock()
	defer r.Unlock()
	return r.box.Consumed(n)
}

// has waits until n bytes came.
func (r *reader) has(n int) {
	r.t.Helper()
	for end := time.Now().Add(enginetest.Patience); ; time.Sleep(50 * time.Microsecond) {
		r.Lock()
		got := len(r.got)
		r.Unlock()
		if got == n {
			return
		}
		if got > n || time.Now().After(end) {
			r.t.Fatalf("%d bytes came, want %d", got, n)
		}
	}
}

func (r *reader) ended() error {
	r.t.Helper()
	select {
	case err := <-r.over:
		return err
	case <-time.After(enginetest.Patience):
		r.t.Fatal("it reads on")
		return nil
	}
}

func TestInboxReadsAsFarAsThereIsCredit(t *testing.T) {
	w := newWell(long(250), io.EOF)
	r := newReader(t, w, 100, time.Minute).run()
	r.has(100)
	if n := r.consumed(30); n != 30 {
		t.Errorf("credit for %d", n)
	}
	r.has(130)
	if n := r.consumed(1 << 40); n != 100 { // as many as the consumer has
		t.Errorf("credit for %d", n)
	}
	r.has(230)
	r.consumed(100)
	if err := r.ended(); err != io.EOF || r.ends != 1 || len(r.got) != 250 || r.most != 100 {
		t.Errorf("%v, %d ends, %d bytes, %d at most", err, r.ends, len(r.got), r.most)
	}
	if !slices.Equal(w.reads, []int{100, 30, 100, 100}) || !slices.Equal(w.waits, []time.Duration{time.Minute, time.Minute, time.Minute, time.Minute}) {
		t.Errorf("read %v, waited %v", w.reads, w.waits)
	}
}

func TestInboxWithoutALimit(t *testing.T) {
	w := newWell(long(3*LargestPiece), io.EOF)
	r := newReader(t, w, 0, 0).run()
	if err := r.ended(); err != io.EOF || len(r.got) != 3*LargestPiece {
		t.Errorf("%v, %d bytes", err, len(r.got))
	}
	for _, n := range w.reads {
		if n != LargestPiece {
			t.Errorf("read %d", n)
		}
	}
	r.Lock()
	defer r.Unlock()
	if n := r.box.Unconsumed(); n != 3*LargestPiece {
		t.Errorf("%d unconsumed", n)
	}
	if n := r.box.Unconsumed(); n != 0 {
		t.Errorf("%d unconsumed once more", n)
	}
}

// The largest piece bounds what is read in one, however large the window is.
func TestInboxGivesPieces(t *testing.T) {
	w := newWell(long(LargestPiece+5), io.EOF)
	r := newReader(t, w, 1<<20, 0).run()
	if err := r.ended(); err != io.EOF || !slices.Equal(w.reads, []int{LargestPiece, LargestPiece}) {
		t.Errorf("%v, read %v", err, w.reads)
	}
}

// Whoever quits is heard while the inbox waits for credit, and before it reads what is there.
func TestInboxQuits(t *testing.T) {
	for _, window := range []int{10, 1000} {
		w := newWell(long(20), nil)
		r := newReader(t, w, window, 0).run()
		r.has(min(window, 20))
		r.Lock()
		before := r.box.Gone()
		r.box.Quit()
		r.box.Quit()
		after := r.box.Gone()
		r.Unlock()
		<-r.box.Done()
		w.fill([]byte("x"), nil) // for the one that waits for bytes
		if err := r.ended(); err != ErrUnwanted || before || !after {
			t.Errorf("window %d: %v, gone before: %v, after: %v", window, err, before, after)
		}
	}
	r := newReader(t, newWell("x", nil), 10, 0)
	r.box.Quit()
	if err := r.box.Run(r.give); err != ErrUnwanted || len(r.got) > 0 {
		t.Errorf("%v, %q", err, r.got)
	}
}

// One who waits for credit does not read, and still hears of a reset; of an end only behind what stands before it.
func TestInboxSeesAResetWithoutCredit(t *testing.T) {
	reset := errors.New("reset")
	w := newWell(long(20), nil)
	r := newReader(t, w, 10, 0).run()
	r.has(10)
	w.reset(reset)
	r.box.Ended()
	if err := r.ended(); err != reset {
		t.Errorf("%v", err)
	}

	w = newWell(long(20), io.EOF)
	r = newReader(t, w, 10, 0)
	r.box.Ended()
	r.run()
	r.has(10)
	r.consumed(10)
	if err := r.ended(); err != io.EOF || len(r.got) != 20 {
		t.Errorf("%v, %d bytes", err, len(r.got))
	}

	w = newWell(long(20), io.EOF) // it is reset although it had ended: what was not read is gone
	r = newReader(t, w, 10, 0)
	r.box.Ended()
	r.run()
	r.has(10)
	w.reset(reset)
	r.box.Ended()
	if err := r.ended(); err != reset {
		t.Errorf("%v", err)
	}
}

func TestInboxEndsForWhatHappens(t *testing.T) {
	ouch := errors.New("ouch")
	r := newReader(t, newWell("abc", ouch), 10, 0)
	if err := r.box.Run(r.give); err != ouch || len(r.got) > 0 {
		t.Errorf("%v, %q", err, r.got)
	}
	r = newReader(t, newWell("", ouch), 10, 0)
	if err := r.box.Run(r.give); err != ouch {
		t.Errorf("%v", err)
	}
	r = newReader(t, newWell("abc", io.EOF), 10, 0)
	if err := r.box.Run(func([]byte, bool) error { return ouch }); err != ouch {
		t.Errorf("%v", err)
	}
	r = newReader(t, newWell("", io.EOF), 10, 0)
	if err := r.box.Run(r.give); err != io.EOF || r.ends != 1 {
		t.Errorf("%v, %d ends", err, r.ends)
	}
}

func TestInboxOnce(t *testing.T) {
	for _, c := range []struct {
		have   int
		end    error
		window int
		reads  int
		err    error
		ends   int
	}{
		{5, nil, 0, LargestPiece, nil, 0},
		{5, io.EOF, 100, 100, io.EOF, 1},
		{500, io.EOF, 100, 100, nil, 0},
		{2 * LargestPiece, nil, 1 << 30, LargestPiece, nil, 0},
		{0, io.EOF, 100, 100, io.EOF, 1},
	} {
		name := fmt.Sprintf("%+v", c)
		w := newWell(long(c.have), c.end)
		r := newReader(t, w, c.window, time.Minute)
		err := r.box.Once(r.give)
		if err != c.err || r.ends != c.ends || len(r.got) != min(c.have, c.reads) || !slices.Equal(w.reads, []int{c.reads}) || w.waits[0] != 0 {
			t.Errorf("%s: %v, %d bytes, read %v, waited %v", name, err, len(r.got), w.reads, w.waits)
		}
	}
	r := newReader(t, newWell("", io.ErrClosedPipe), 10, 0)
	if err := r.box.Once(r.give); err != io.ErrClosedPipe || r.box.Timeout() != 0 {
		t.Errorf("%v", err)
	}
}

// Whatever comes and however credit is given: every byte is given once and in order, the end once, and never more than the window is with
// the consumer.
func TestInboxModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		window := rapid.OneOf(rapid.IntRange(1, 50), rapid.IntRange(LargestPiece-2, LargestPiece+2)).Draw(rt, "window")
		chunks := rapid.SliceOfN(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 60), rapid.Just(bytes.Repeat([]byte("z"), window+1))), 0, 12).Draw(rt, "chunks")
		credits := rapid.SliceOfN(rapid.Uint64Range(1, uint64(2*window)), 1, 8).Draw(rt, "credits")
		w := newWell("", nil)
		r := newReader(t, w, window, 0).run()
		go func() {
			for _, c := range chunks {
				w.fill(c, nil)
			}
			w.fill(nil, io.EOF)
			r.box.Ended()
		}()
		var granted uint64
		for i := 0; ; i++ {
			select {
			case err := <-r.over:
				want := bytes.Join(chunks, nil)
				if err != io.EOF || !bytes.Equal(r.got, want) || r.ends != 1 || r.most > uint64(window) || granted > uint64(len(want)) {
					rt.Fatalf("%v, %d of %d bytes, %d ends, %d with the consumer, credit for %d", err, len(r.got), len(want), r.ends, r.most, granted)
				}
				r.Lock()
				left := r.box.Unconsumed()
				r.Unlock()
				if left+granted != uint64(len(want)) {
					rt.Fatalf("credit for %d and %d of %d", granted, left, len(want))
				}
				return
			default:
				granted += r.consumed(credits[i%len(credits)])
				runtime.Gosched()
			}
		}
	})
}
