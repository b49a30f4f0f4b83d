package engine

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// An exchange is the stream of one request as the rest of the engine sees it: messages and their parts, not frames. rawStream is
// the one that frames HTTP/3 itself.
type exchange interface {
	// id is the QUIC stream's number.
	id() uint64

	// tryWrite sends a part of the response, all of it or nothing, without waiting. quic.ErrWouldBlock says that it was nothing.
	tryWrite(p *part) error

	// write sends a part, waiting as long as the peer's flow control wants, but not longer than stall without a byte taken: then it
	// fails with os.ErrDeadlineExceeded. progress is told of body bytes that have left.
	write(p *part, stall time.Duration, progress func(n int)) error

	// wait blocks until a byte of the body, its end or an error is there; a timeout of 0 is none.
	wait(timeout time.Duration) error

	// onEnd calls f once the peer's side has ended, be it by its end or by a reset, possibly before onEnd returns. f must not block.
	onEnd(f func())

	// read takes bytes of the body, at most len(p). It returns io.EOF with or after the last ones, and then the trailers are known.
	// p is used as work space: more than the n bytes returned may be overwritten.
	read(p []byte) (n int, err error)

	// trailers are those of the request as a packed list, nil if there were none.
	trailers() []byte

	// watch calls f on a goroutine of its own once the peer wants no response any more or the connection has gone, until stop.
	watch(f func(cause error)) (stop func() bool)

	// stop tells the peer to send no more of its body.
	stop(code http3.ErrCode)

	// abort gives both directions up.
	abort(code http3.ErrCode)
}

// A part is a piece of a response: its head, body bytes, its end, or several of them.
type part struct {
	head        bool
	status      int
	headers     []byte // packed list
	length      int64  // content-length to add where headers have none, -1: none
	date        bool   // add one where headers have none
	body        sink.Chunk
	trailers    []byte // packed list
	hasTrailers bool
	end         bool
	counted     bool // the sink is to be told when the body has left
}

// keep makes the part outlive the call that it came with.
func (p *part) keep() {
	p.headers = append([]byte(nil), p.headers...)
	p.trailers = append([]byte(nil), p.trailers...)
	p.body.Keep()
}

// An outcome is how a request or a connection ended, as its terminal event tells it.
type outcome struct {
	code  sink.Code
	flags uint16
	aux   uint64
	text  string
}

// outcomeOf says what an error of quic-go means to the consumer.
func outcomeOf(err error) outcome {
	var (
		stream   *quic.StreamError
		app      *quic.ApplicationError
		trans    *quic.TransportError
		idle     *quic.IdleTimeoutError
		reset    *quic.StatelessResetError
		breach   *wire.ConnectionError
		malform  *wire.StreamError
		outcome_ = outcome{flags: sink.FlagAborted}
	)
	o := &outcome_
	if err != nil {
		o.text = err.Error()
	}
	switch {
	case errors.As(err, &stream):
		o.code = sink.ErrCancelled
		if stream.Remote {
			o.code, o.aux, o.flags = sink.ErrReset, uint64(stream.ErrorCode), o.flags|sink.FlagRemote
		}
	case errors.As(err, &app):
		o.aux, o.text = uint64(app.ErrorCode), app.ErrorMessage
		switch {
		case app.Remote:
			o.code, o.flags = sink.ErrClosed, o.flags|sink.FlagRemote
		case app.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError):
			o.code = sink.ErrShutdown
		default:
			o.code = sink.ErrProtocol
		}
	case errors.As(err, &idle):
		o.code, o.flags, o.text = sink.ErrIdle, o.flags|sink.FlagRemote, "idle timeout"
	case errors.As(err, &reset):
		o.code, o.flags, o.text = sink.ErrClosed, o.flags|sink.FlagRemote, "stateless reset"
	case errors.As(err, &trans):
		o.aux, o.text = uint64(trans.ErrorCode), trans.ErrorMessage
		o.code = sink.ErrProtocol
		if trans.Remote {
			o.code, o.flags = sink.ErrClosed, o.flags|sink.FlagRemote
		}
	case errors.As(err, &breach), errors.As(err, &malform):
		o.code = sink.ErrProtocol
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, quic.ErrServerClosed):
		o.code = sink.ErrShutdown
	default:
		o.code = sink.ErrIO
	}
	return outcome_
}
