package get

import (
	"fmt"
	"os"
	"sync"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/sink"
)

const (
	// progressAfter is how long a transfer has to last for there to be a line about it, progressEvery how often that is written.
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// A progress is a line on a terminal that says how far a transfer is. A nil one does nothing.
type progress struct {
	to     *os.File
	ticker *time.Ticker
	quit   chan struct{}
	ended  chan struct{}

	mu    sync.Mutex
	began time.Time
	in    flow
	out   flow
	shown bool
}

// A flow is one direction.
type flow struct{ bytes, all int64 }

// newProgress gives one where standard error is a terminal that the body does not go to.
func newProgress(o *options, std *cli.Std, bodyToTerminal bool) *progress {
	if o.silent || bodyToTerminal || !isTerminal(std.Err) {
		return nil
	}
	p := &progress{to: std.Err, ticker: time.NewTicker(progressEvery), quit: make(chan struct{}), ended: make(chan struct{}), began: time.Now(), in: flow{all: -1}, out: flow{all: -1}}
	go sink.Guard("progress", p.run)
	return p
}

func (p *progress) run() {
	defer close(p.ended)
	for {
		select {
		case <-p.ticker.C:
			p.mu.Lock()
			if time.Since(p.began) >= progressAfter {
				p.show()
			}
			p.mu.Unlock()
		case <-p.quit:
			return
		}
	}
}

// took counts bytes that have come, of so many, -1 if that is not known.
func (p *progress) took(n, all int64) { p.count(n, all, true) }

// sent counts bytes that are on their way.
func (p *progress) sent(n, all int64) { p.count(n, all, false) }

func (p *progress) count(n, all int64, in bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	f := &p.out
	if in {
		f = &p.in
	}
	f.bytes += n
	f.all = all
	p.mu.Unlock()
}

// show writes the line. p.mu is held.
func (p *progress) show() {
	what, f := "received", p.in
	if p.in.bytes == 0 && p.out.bytes > 0 {
		what, f = "sent", p.out
	}
	line := describe(what, f, time.Since(p.began))
	if width := columns(p.to) - 1; len(line) > width {
		line = line[:max(width, 0)]
	}
	fmt.Fprintf(p.to, "\r\x1b[K%s", line)
	p.shown = true
}

// describe says how far a transfer is.
func describe(what string, f flow, took time.Duration) string {
	rate := float64(f.bytes) / took.Seconds()
	if f.all <= 0 {
		return fmt.Sprintf("%s %s, %s/s", what, size(float64(f.bytes)), size(rate))
	}
	line := fmt.Sprintf("%s %s of %s, %d %%, %s/s", what, size(float64(f.bytes)), size(float64(f.all)), 100*f.bytes/f.all, size(rate))
	if rate > 0 {
		left := time.Duration(float64(f.all-f.bytes) / rate * float64(time.Second)).Round(time.Second)
		line += fmt.Sprintf(", %v left", left)
	}
	return line
}

// size shows a number of bytes.
func size(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", n)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1f TB", n)
}

// clear takes the line away, for another to be written.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	if p.shown {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.shown = false
	}
	p.mu.Unlock()
}

// stop ends it, and takes its line away.
func (p *progress) stop() {
	if p == nil {
		return
	}
	p.ticker.Stop()
	close(p.quit)
	<-p.ended
	p.clear()
}
