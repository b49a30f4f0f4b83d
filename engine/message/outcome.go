package message

import (
	"context"
	"errors"
	"net"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// An Outcome is how a request, a session or a connection ended, as its terminal event tells it.
type Outcome struct {
	Code  sink.Code
	Flags uint16
	Aux   uint64
	Text  string
}

// OutcomeOf says what an error of quic-go means to the consumer.
func OutcomeOf(err error) Outcome {
	var (
		stream  *quic.StreamError
		app     *quic.ApplicationError
		trans   *quic.TransportError
		idle    *quic.IdleTimeoutError
		reset   *quic.StatelessResetError
		breach  *wire.ConnectionError
		malform *wire.StreamError
	)
	o := Outcome{Flags: sink.FlagAborted}
	if err != nil {
		o.Text = err.Error()
	}
	switch {
	case errors.As(err, &stream):
		o.Code = sink.ErrCancelled
		if stream.Remote {
			o.Code, o.Aux, o.Flags = sink.ErrReset, uint64(stream.ErrorCode), o.Flags|sink.FlagRemote
		}
	case errors.As(err, &app):
		o.Aux, o.Text = uint64(app.ErrorCode), app.ErrorMessage
		switch {
		case app.Remote:
			o.Code, o.Flags = sink.ErrClosed, o.Flags|sink.FlagRemote
		case app.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError):
			o.Code = sink.ErrShutdown
		default:
			o.Code = sink.ErrProtocol
		}
	case errors.As(err, &idle):
		o.Code, o.Flags, o.Text = sink.ErrIdle, o.Flags|sink.FlagRemote, "idle timeout"
	case errors.As(err, &reset):
		o.Code, o.Flags, o.Text = sink.ErrClosed, o.Flags|sink.FlagRemote, "stateless reset"
	case errors.As(err, &trans):
		o.Aux, o.Text = uint64(trans.ErrorCode), trans.ErrorMessage
		o.Code = sink.ErrProtocol
		if trans.Remote {
			o.Code, o.Flags = sink.ErrClosed, o.Flags|sink.FlagRemote
		}
	case errors.As(err, &breach), errors.As(err, &malform):
		o.Code = sink.ErrProtocol
	case errors.Is(err, quic.Err0RTTRejected):
		o.Code, o.Flags, o.Text = sink.ErrClosed, o.Flags|sink.FlagRemote, "the server has not taken the early data"
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, quic.ErrServerClosed):
		o.Code = sink.ErrShutdown
	default:
		o.Code = sink.ErrIO
	}
	return o
}
