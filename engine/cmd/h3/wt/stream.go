package wt

import (
	"bytes"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// mostLine is how much of a line that a server's own stream has begun is kept until the rest comes.
const mostLine = 64 << 10

// An incoming is a stream that the server has opened. Its lines are written whole, so that they do not mix with those of others.
type incoming struct{ line []byte }

// openStream opens the stream that standard input goes to.
func (v *visit) openStream() {
	s := v.session()
	if s == nil {
		return
	}
	v.stream, _ = v.queue.Give()
	s.OpenStream(v.stream, false, true)
	v.feed = v.queue.Feed(v.std.In, -1, func(piece sink.Chunk) {
		if st := v.live(v.stream); st != nil {
			st.Write(piece)
		} else {
			piece.Release()
		}
	}, func(err error) {
		if err != nil {
			v.fail(cli.Fail(cli.Input, "%v", err))
			v.close()
			return
		}
		if st := v.live(v.stream); st != nil {
			st.End()
		}
	})
}

// live is a stream, nil once it has ended.
func (v *visit) live(h sink.Handle) *session.Stream {
	st, _ := v.queue.Object(h).(*session.Stream)
	return st
}

// arrived takes a stream that the server has opened. It gets nothing from us.
func (v *visit) arrived(e *queue.Event) {
	v.tell("the server has opened stream %d", e.Aux)
	v.streams[e.Object] = new(incoming)
	if st := v.live(e.Object); st != nil && e.Status == session.Bidirectional {
		st.End()
	}
}

// data writes what has come on a stream.
func (v *visit) data(e *queue.Event) {
	data := e.Data
	if in := v.streams[e.Object]; in != nil {
		in.line = append(in.line, data...)
		data = in.line
		if end := bytes.LastIndexByte(data, '\n') + 1; e.Flags&sink.FlagEnd == 0 && len(data) < mostLine {
			data = data[:end]
		}
	}
	if len(data) > 0 {
		v.write(data)
	}
	if in := v.streams[e.Object]; in != nil {
		in.line = append(in.line[:0], in.line[len(data):]...)
	}
	if st := v.live(e.Object); st != nil {
		st.Consumed(uint64(len(e.Data)))
	}
}

// write writes to standard output.
func (v *visit) write(data []byte) {
	if v.deaf {
		return
	}
	if _, err := v.std.Out.Write(data); err != nil {
		v.deaf = true
		v.fail(cli.Fail(cli.Output, "%v", err))
		v.close()
	}
}

// reset is told that the server has given up its side of a stream.
func (v *visit) reset(e *queue.Event) {
	if e.Object != v.stream {
		v.tell("the server has reset a stream with code %d", e.Aux)
		return
	}
	v.fail(cli.Fail(cli.Closed, "the server has reset the stream with code %d", e.Aux))
	v.close()
}

// stopped is told that the server wants no more on a stream. What it still sends is taken.
func (v *visit) stopped(e *queue.Event) {
	if e.Object != v.stream {
		return
	}
	v.fail(cli.Fail(cli.Closed, "the server takes no more on the stream: code %d", e.Aux))
	if v.feed != nil {
		v.feed.Stop()
	}
}

// streamEnded closes the session with the stream that it is for. Where it is the other way round, the session's end says why.
func (v *visit) streamEnded(e *queue.Event) {
	delete(v.streams, e.Object)
	if e.Object == v.stream {
		v.streamEnd = peer.FailureOf(e.Code, "", 0, false)
		if e.Code == sink.ErrClosed {
			v.closeLater()
		} else {
			v.close()
		}
	}
}

// lastWord is how long a server whose session's streams have ended as with their session may take to say how that has ended.
const lastWord = 10 * time.Second

// closeLater closes the session unless its end comes, which says why: streams may be heard of before it.
func (v *visit) closeLater() {
	go sink.Guard("last word", func() {
		wait := time.NewTimer(lastWord)
		defer wait.Stop()
		select {
		case <-wait.C:
			v.queue.Do(v.close)
		case <-v.closed:
		}
	})
}
