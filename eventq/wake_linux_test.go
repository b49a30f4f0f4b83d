package eventq

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"testing"
)

// eventFD opens an eventfd that Go's poller waits on.
func eventFD(t *testing.T) (*os.File, int32) {
	t.Helper()
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	f := os.NewFile(fd, "eventfd")
	t.Cleanup(func() { f.Close() })
	return f, int32(fd)
}

// count takes what was added to an eventfd, 0 if nothing was.
func count(t *testing.T, fd int32) uint64 {
	t.Helper()
	var b [8]byte
	if _, err := syscall.Read(int(fd), b[:]); errors.Is(err, syscall.EAGAIN) {
		return 0
	} else if err != nil {
		t.Fatal(err)
	}
	return binary.NativeEndian.Uint64(b[:])
}

func TestWakeIsWrittenOnceForEachArm(t *testing.T) {
	_, fd := eventFD(t)
	r, q := fresh(t, 4096, fd)
	push(t, q, 1, 0)
	if n := count(t, fd); n != 0 {
		t.Errorf("%d writes though nobody sleeps", n)
	}
	if r.Arm() {
		t.Error("Arm says empty with a record there")
	}
	push(t, q, 2, 0)
	if n := count(t, fd); n != 0 {
		t.Errorf("%d writes though Arm refused", n)
	}
	equal(t, objects(r), 1, 2)
	for range 2 { // arming twice is harmless
		if !r.Arm() {
			t.Error("Arm says not empty")
		}
	}
	push(t, q, 3, 0)
	push(t, q, 4, 0)
	if n := count(t, fd); n != 1 {
		t.Errorf("%d writes for one arm", n)
	}
	equal(t, objects(r), 3, 4)
	r.Arm()
	r.Disarm()
	push(t, q, 5, 0)
	if n := count(t, fd); n != 0 {
		t.Errorf("%d writes though disarmed", n)
	}
}

func TestCommitSaysWhetherItWokeTheConsumer(t *testing.T) {
	_, fd := eventFD(t)
	r, q := fresh(t, 4096, fd)
	commit := func() bool {
		rec, _ := q.Reserve(Lossless, 0, nil)
		return q.Commit(rec, &Head{Type: 1})
	}
	if commit() {
		t.Error("woke though nobody sleeps")
	}
	objects(r)
	r.Arm()
	if !commit() || commit() {
		t.Error("one commit wakes, the next finds the consumer awake")
	}
}

func TestFillersWakeSoThatWhatStandsBehindIsSeen(t *testing.T) {
	_, fd := eventFD(t)
	r, q := fresh(t, 4096, fd)
	first, _ := q.Reserve(Lossless, 0, nil)
	push(t, q, 2, 0)
	if !r.Arm() {
		t.Fatal("something is visible before the first commit")
	}
	q.Abort(first)
	if n := count(t, fd); n != 1 {
		t.Errorf("%d writes", n)
	}
	equal(t, objects(r), 2)

	given, _ := q.Reserve(Lossless, 0, nil)
	behind, _ := q.Reserve(Lossless, 0, nil)
	q.Abort(given)
	if !r.Arm() {
		t.Error("Arm takes a filler for a record")
	}
	q.Commit(behind, &Head{Type: 1, Object: 3})
	if n := count(t, fd); n != 1 {
		t.Errorf("%d writes", n)
	}
	equal(t, objects(r), 3)
}

// The consumer sleeps on a real eventfd whenever the ring is empty; every arm races with a publish. A lost wake-up hangs the test.
func TestNoWakeUpIsLost(t *testing.T) {
	const rounds = 3000
	thereFile, there := eventFD(t)
	backFile, back := eventFD(t)
	rThere, qThere := fresh(t, 4096, there)
	rBack, qBack := fresh(t, 4096, back)
	await := func(r *Ring, f *os.File) uint64 {
		var b [8]byte
		for {
			if _, h, ok := r.Peek(); ok {
				r.Advance()
				return h.Object
			}
			if r.Arm() {
				if _, err := f.Read(b[:]); err != nil {
					t.Error(err)
					return 0
				}
			}
		}
	}
	go func() {
		for range rounds {
			push(t, qBack, await(rThere, thereFile), 0)
		}
	}()
	for i := range uint64(rounds) {
		push(t, qThere, i+1, 0)
		if got := await(rBack, backFile); got != i+1 {
			t.Fatalf("%d came back for %d", got, i+1)
		}
	}
}

// The consumer sleeps, the ring overflows and bulk producers wait: wake and doorbell together bring everything through.
func TestNoDoorbellIsLostWhileTheConsumerSleeps(t *testing.T) {
	const producers, records = 4, 2000
	f, fd := eventFD(t)
	r, q := fresh(t, 4096, fd)
	for p := range producers {
		go func() {
			for i := range uint64(records) {
				class := Bulk
				if i%3 == 0 {
					class = Lossless
				}
				rec, _ := q.Reserve(class, int(i%400), nil)
				h := Head{Type: 1, Object: uint64(p), Aux: i}
				q.Commit(rec, &h)
			}
		}()
	}
	var last [producers]uint64
	var b [8]byte
	for came := 0; came < producers*records; {
		came += r.Drain(0, func(h *Head, _ []byte) {
			if h.Aux != last[h.Object] {
				t.Fatalf("producer %d: record %d came instead of %d", h.Object, h.Aux, last[h.Object])
			}
			last[h.Object]++
		})
		if r.Doorbell() {
			q.Refill()
		}
		if came < producers*records && r.Arm() {
			if r.Doorbell() {
				q.Refill()
			}
			if _, err := f.Read(b[:]); err != nil {
				t.Fatal(err)
			}
		}
	}
}
