package message

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
)

// What was vowed arrives before a reset, and nothing else of it does: not what is behind, and not the end, where the vow came behind that.
// What is left out is given back once, and its bytes are told.
func TestOutboxCut(t *testing.T) {
	for _, c := range []struct {
		name        string
		put         func(s *sender, a *account)
		taken       string
		left, drops int
		told        string
	}{
		{"behind the end", func(s *sender, _ *account) {
			s.put(body("abc"), last("def"))
			s.box.Vow()
		}, "abcdef", 6, 0, ""},
		{"in front of the rest", func(s *sender, a *account) {
			s.put(body("abc"))
			s.box.Vow()
			s.put(Part{Body: a.chunk([]byte("defg"))}, inOne("hi"), last("j"))
		}, "abc", 3, 5, "atomic 2 " + ErrUnwanted.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, l := newAccount(t), newTap(0)
			s := newSender(t, l, 0)
			s.refuse = true // nothing is taken out of the queue yet
			c.put(s, a)
			s.Lock()
			s.refuse = false
			s.box.Cut()
			s.box.Kick()
			s.Unlock()
			l.let(open)
			s.rest()
			s.Lock()
			drops := s.box.Drop()
			again := s.box.Drop()
			s.Unlock()
			a.settled()
			if string(l.taken) != c.taken || l.ended || fmt.Sprint(l.boundaries) != fmt.Sprint([]int{len(c.taken)}) {
				t.Errorf("%q left, vowed to %d, ended: %t", l.taken, l.boundaries, l.ended)
			}
			if s.left[false] != c.left || drops != c.drops || again != 0 || s.has() != c.told {
				t.Errorf("%d bytes left, %d and %d dropped, told %q", s.left[false], drops, again, s.has())
			}
		})
	}
}

// A peer that takes something now and then is no stalled one, however long the whole lasts, and gets every byte once.
func TestASlowWriteGoesOn(t *testing.T) {
	const window, size, stall = 1000, 40_000, 1500 * time.Millisecond
	c, p := enginetest.Pair(t, nil, &quic.Config{InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window})
	ours, theirs := streams(t, c, p)
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i / 7)
	}
	x, written := &Framed{S: ours}, make(chan error, 1)
	begin := time.Now()
	go func() { written <- x.push(data, stall) }()
	var got []byte
	for buf := make([]byte, 250); len(got) < size; {
		theirs.SetReadDeadline(time.Now().Add(enginetest.Patience))
		n, err := theirs.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(got), err)
		}
		if time.Since(begin) < 2*stall { // through more than one of its deadlines
			time.Sleep(stall / 20)
		}
	}
	if err := <-written; err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if string(got) != string(data) {
		t.Error("other bytes")
	}
	ours.CancelWrite(1)
	theirs.CancelRead(1)
}
