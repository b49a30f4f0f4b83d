package server

import (
	"net/url"
	"slices"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/config"
	"zigh3/engine/message"
	"zigh3/engine/route"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// ask takes a request for a session, whose header block was read from the stream, or answers it here.
func (c *conn) ask(s *quic.Stream, head *wire.RequestHead, fields []byte) {
	x := &message.Framed{S: s}
	if c.Draining() {
		c.reject(x)
		return
	}
	answer := func(status int) {
		c.answer(&Request{x: *x}, status, "")
	}
	offer := offerOf(fields)
	found := c.s.router.Match(head.Method, head.Path)
	switch {
	case !c.s.hasSessions:
		answer(501)
	case found.Status == 405 || found.Status == 0 && found.Flags&route.WebTransport == 0:
		answer(404)
	case found.Status != 0:
		answer(found.Status)
	case len(fields) > message.LargestPiece:
		answer(431)
	case !allows(&c.s.options.WebTransport, offer.origin, string(head.Authority)):
		c.Stats.Add(sink.StatSessionsRejected, 1)
		answer(403)
	default:
		c.prioritized(s, head)
		r := session.Request{Route: found.ID, UserData: found.UserData, Fields: fields, Offered: offer.protocols, Answer: offer.answer}
		if !c.sessions.Ask(s, &r) {
			c.reject(x)
		}
	}
}

// A sessionOffer is what the head of a session's request says to the server itself.
type sessionOffer struct {
	origin    string
	protocols []string
	answer    []wire.Field
}

func offerOf(fields []byte) (o sessionOffer) {
	var available []string
	for list := (wire.PackedReader{Rest: fields}); ; {
		name, value, ok := list.Next()
		if !ok {
			break
		}
		switch string(name) {
		case "origin":
			o.origin = string(value)
		case wire.FieldAvailableProtocols:
			available = append(available, string(value))
		default:
			if answer, ok := wire.AnswerTo(string(name)); ok {
				o.answer = append(o.answer, answer)
			}
		}
	}
	if len(available) > 0 {
		o.protocols = wire.ParseAvailableProtocols(available)
	}
	return o
}

// allows reports whether a page of origin may open a session with host.
func allows(o *config.WebTransportOptions, origin, host string) bool {
	if origin == "" {
		return true // no browser
	}
	if o.Origins == nil {
		u, err := url.Parse(origin)
		return err == nil && strings.EqualFold(u.Host, host)
	}
	return slices.Contains(o.Origins, "*") || slices.ContainsFunc(o.Origins, func(one string) bool { return strings.EqualFold(one, origin) })
}

// sessionStream brings a stream to its session.
func (c *conn) sessionStream(id uint64, s *quic.Stream) {
	if !c.s.hasSessions {
		x := message.Framed{S: s}
		x.Abort(http3.ErrCodeRequestRejected)
		return
	}
	c.sessions.Stream(id, s)
}
