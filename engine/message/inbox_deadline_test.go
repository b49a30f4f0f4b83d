package message

import (
	"io"
	"os"
	"sync"
	"testing"
	"time"
)

// A lateSource gives one piece after the other, each with its error.
type lateSource []struct {
	data string
	err  error
}

func (s *lateSource) Wait(time.Duration) error { return nil }

func (s *lateSource) Read(p []byte) (int, error) {
	next := (*s)[0]
	*s = (*s)[1:]
	return copy(p, next.data), next.err
}

func TestS01_BytesThatComeBesideAnErrorAreGiven(t *testing.T) {
	source := &lateSource{{"a deadline passed ", os.ErrDeadlineExceeded}, {"behind these", nil}, {"", io.EOF}}
	var in Inbox
	in.Init(new(sync.Mutex), source, 1<<16, 0)
	got := ""
	give := func(data []byte, end bool) error {
		if got += string(data); end {
			got += "."
		}
		return nil
	}
	if err := in.Once(give); err != os.ErrDeadlineExceeded {
		t.Errorf("once: %v", err)
	}
	if err := in.Run(give); err != io.EOF {
		t.Errorf("run: %v", err)
	}
	if want := "a deadline passed behind these."; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
