package wt

import (
	"bufio"
	"bytes"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// mostDatagram is the longest line that is read: no datagram is as long.
const mostDatagram = 64 << 10

// feedDatagrams sends lines, on a goroutine that waits for them and for room.
func (v *visit) feedDatagrams() {
	go sink.Guard("lines", func() {
		lines := bufio.NewScanner(v.std.In)
		lines.Buffer(nil, mostDatagram)
		for lines.Scan() {
			if !v.send(bytes.Clone(lines.Bytes())) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			v.queue.Do(func() {
				v.fail(cli.Fail(cli.Input, "%v", err))
				v.close()
			})
			return
		}
		wait := time.NewTimer(v.o.wait)
		defer wait.Stop()
		select {
		case <-wait.C:
			v.queue.Do(v.close)
		case <-v.closed:
		}
	})
}

// send sends a line once there is room for it. It reports false when the session has ended.
func (v *visit) send(line []byte) bool {
	for {
		place, limit, more := v.queue.TakePlace(v.handle, len(line))
		switch place {
		case queue.Taken:
			v.queue.Do(func() {
				if s := v.session(); s != nil {
					s.SendDatagram(line, 0)
				}
			})
			return true
		case queue.TooLong:
			v.queue.Do(func() { v.say("a line of %d bytes is not sent: a datagram may have %d", len(line), limit) })
			return true
		case queue.Gone:
			return false
		}
		select {
		case <-more:
		case <-v.closed:
			return false
		}
	}
}

// datagram writes one that has come.
func (v *visit) datagram(data []byte) { v.write(append(bytes.Clone(data), '\n')) }
