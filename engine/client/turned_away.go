package client

import (
	"errors"

	"github.com/quic-go/quic-go"

	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// A server to which more connections come at once than it takes ends some behind their handshake, with CONNECTION_REFUSED (RFC 9000, 20.1), and has
// looked at nothing of what was sent on them. As long as its SETTINGS have not come that is provable, for whoever sends them has taken the connection.
// What is safe goes out once more then, on another connection, and so does what was not sent yet; the rest ends.

// turnedAway reports whether err is how a server turns a connection away.
func turnedAway(err error) bool {
	var e *quic.TransportError
	return errors.As(err, &e) && e.Remote && e.ErrorCode == quic.ConnectionRefused
}

// turnedAway reports whether the server has turned the connection away. A stream's error, if there is one, may tell of it before the connection does.
func (c *conn) turnedAway(err error) bool {
	return c.away.Load() || turnedAway(err) && c.Settings() == nil
}

// errTurnedAway is how ends what has found no connection that its server takes.
var errTurnedAway = message.Outcome{Code: sink.ErrHandshake, Flags: sink.FlagAborted | sink.FlagRemote, Aux: uint64(quic.ConnectionRefused),
	Text: "the server takes no more connections (CONNECTION_REFUSED)"}

// turnedAway is how the fetch ends whose connection was turned away. What is not safe was on its way already: nobody is to take that for unsent.
func (f *Fetch) turnedAway() message.Outcome {
	o := errTurnedAway
	if !f.safe {
		o.Code = sink.ErrRejected
	}
	return o
}
