package message

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Framed is a stream that carries a message of HTTP/3 each way: the line of an outbox, and the source of an inbox.
type Framed struct {
	S      *quic.Stream
	Reader *FrameReader // nil as long as nothing but a head was there
}

// NewReader makes the reader of s, whose trailers hold to lim.
func NewReader(s *quic.Stream, lim *wire.FieldLimits) *FrameReader {
	return &FrameReader{s: s, lim: lim}
}

// NewResponseReader is NewReader for what a server sends. There may be several heads in front of the body (see FrameReader.ReadResponse).
func NewResponseReader(s *quic.Stream, lim *wire.FieldLimits) *FrameReader {
	return &FrameReader{s: s, lim: lim, response: true}
}

// NewConnectReader is NewReader for a CONNECT stream whose header block was read: only DATA frames follow.
func NewConnectReader(s *quic.Stream, lim *wire.FieldLimits) *FrameReader {
	return &FrameReader{s: s, lim: lim, begun: true, dataOnly: true}
}

// ID is the QUIC stream's number.
func (x *Framed) ID() uint64 { return uint64(x.S.StreamID()) }

// TryWrite implements Line.
func (x *Framed) TryWrite(p *Part) error {
	e := frameEncoders.Get().(*frameEncoder)
	run := e.encode(p, true)
	var err error
	if len(run) > 0 {
		err = x.S.TryWriteAll(run)
	}
	frameEncoders.Put(e)
	if err == nil && p.End {
		err = x.close()
	}
	return err
}

// Write implements Line.
func (x *Framed) Write(p *Part, stall time.Duration, progress func(n int)) error {
	e := frameEncoders.Get().(*frameEncoder)
	run := e.encode(p, false)
	var err error
	if len(run) > 0 {
		err = x.push(run, stall)
	}
	frameEncoders.Put(e)
	for b := p.Body.Bytes; err == nil && len(b) > 0; {
		n := min(len(b), WritePiece)
		err = x.push(b[:n], stall)
		if err == nil {
			progress(n)
		}
		b = b[n:]
	}
	if err == nil && p.HasTrailers {
		e := frameEncoders.Get().(*frameEncoder)
		err = x.push(e.trailers(e.run[:0], p.Trailers), stall)
		frameEncoders.Put(e)
	}
	if stall > 0 {
		x.S.SetWriteDeadline(time.Time{})
	}
	if err == nil && p.End {
		err = x.close()
	}
	return err
}

// push writes all of b unless for as long as stall not a byte of it is taken.
func (x *Framed) push(b []byte, stall time.Duration) error {
	for {
		if stall > 0 {
			x.S.SetWriteDeadline(time.Now().Add(stall))
		}
		n, err := x.S.Write(b)
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		b = b[n:]
	}
}

func (x *Framed) close() error { return CloseSend(x.S) }

// A SendSide is the sending side of a stream of QUIC's.
type SendSide interface {
	Close() error
	Context() context.Context
}

// CloseSend ends a sending side. quic-go reports one that the peer has stopped meanwhile only in words; the cause says which code.
func CloseSend(s SendSide) error {
	err := s.Close()
	if err == nil {
		return nil
	}
	if cause := context.Cause(s.Context()); cause != nil {
		return cause
	}
	return err
}

// Wait implements Source.
func (x *Framed) Wait(timeout time.Duration) error { return x.Reader.Wait(timeout) }

// Read implements Source.
func (x *Framed) Read(p []byte) (int, error) { return x.Reader.Read(p) }

// OnEnd calls f once the peer's side has ended, be it by its end or by a reset, possibly before OnEnd returns. f must not block.
func (x *Framed) OnEnd(f func()) {
	reader := x.Reader
	x.S.SetReceiveFinalSizeCallback(func(size int64) {
		defer sink.Catch("end of a stream")
		if reader != nil {
			reader.final.Store(size + 1)
		}
		f()
	})
}

// Trailers are those of the message as a packed list, nil if there were none. They are known behind its end.
func (x *Framed) Trailers() []byte {
	if x.Reader == nil {
		return nil
	}
	return x.Reader.trailers
}

// Watch calls f on a goroutine of its own once the peer does not want what is sent any more, or the connection has gone, until stop.
func (x *Framed) Watch(f func(cause error)) (stop func() bool) { return WatchSend(x.S, f) }

// WatchSend is Framed.Watch for any sending side.
func WatchSend(s SendSide, f func(cause error)) (stop func() bool) {
	ctx := s.Context()
	return context.AfterFunc(ctx, func() {
		sink.Guard("abort", func() {
			if cause := context.Cause(ctx); !errors.Is(cause, quic.ErrStreamClosed) {
				f(cause)
			}
		})
	})
}

// Stop tells the peer to send no more.
func (x *Framed) Stop(code http3.ErrCode) { x.S.CancelRead(quic.StreamErrorCode(code)) }

// Abort gives both directions up.
func (x *Framed) Abort(code http3.ErrCode) {
	x.S.CancelRead(quic.StreamErrorCode(code))
	x.S.CancelWrite(quic.StreamErrorCode(code))
}
