package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudo-terminal, and what was written to it.
type terminal struct {
	slave *os.File
	mu    sync.Mutex
	text  strings.Builder
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &terminal{}
	if w.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4<<10)
		for {
			n, err := master.Read(buf)
			w.mu.Lock()
			w.text.Write(buf[:n])
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		w.slave.Close()
		<-done // with the last of those who have it open
		master.Close()
	})
	return w
}

func (w *terminal) shows(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.text.String(), text)
}

func (w *terminal) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// A transfer that lasts shows how far it is on a terminal, and takes that away at its end.
func TestProgressIsShownOnATerminal(t *testing.T) {
	more := make(chan struct{})
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
			return
		}
		w.Header().Set("Content-Length", "200000")
		w.Write(make([]byte, 50_000))
		w.(http.Flusher).Flush()
		<-more
		w.Write(make([]byte, 150_000))
	})
	w := newTerminal(t)
	c := program(t.Context(), "get", "--cacert", o.file, o.url("/"), "-o", t.TempDir()+"/out")
	c.Stderr = w.slave
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "progress of a download", func() bool { return w.shows("\r\x1b[Kreceived 50.0 kB of 200.0 kB, 25 %, ") })
	close(more)
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the line's end", func() bool { return strings.HasSuffix(w.String(), "\r\x1b[K") })

	w = newTerminal(t)
	c = program(t.Context(), "get", "--cacert", o.file, o.url("/"), "-T", "-")
	c.Stderr = w.slave
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.Write(make([]byte, 70_000))
	eventually(t, "progress of an upload", func() bool { return w.shows("\r\x1b[Ksent 70.0 kB, ") })
	in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Nobody's terminal is written to where that is not wanted: with -s, and where the body goes there.
func TestProgressIsNotInTheWay(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		time.Sleep(1500 * time.Millisecond) // longer than a transfer without a line
	})
	for _, args := range [][]string{{"-s", "-o", t.TempDir() + "/out"}, {}} {
		w := newTerminal(t)
		c := program(t.Context(), append([]string{"get", "--cacert", o.file, o.url("/")}, args...)...)
		c.Stderr = w.slave
		want := ""
		if len(args) == 0 {
			c.Stdout, want = w.slave, "hello"
		}
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of what is written", func() bool { return w.String() == want })
	}
}
