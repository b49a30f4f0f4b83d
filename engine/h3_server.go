package engine

import (
	"context"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"

	"zigh3/engine/route"
	"zigh3/engine/sink"
)

// An h3Server serves the second kind of connection: those on which datagrams of HTTP or sessions may come. There http3 reads header
// blocks and datagrams, and webtransport-go knows the sessions; everything else is as on the first kind. It lives as long as its
// listening.
type h3Server struct {
	s        *Server
	http     *http3.Server
	sessions *webtransport.Server // nil: the server has no route for sessions
}

// settingMaxSessions is SETTINGS_WEBTRANSPORT_MAX_SESSIONS of draft 7, for clients that know no later one.
const settingMaxSessions = 0xc671706a

// newH3Server is nil if no route needs it.
func newH3Server(s *Server) *h3Server {
	flags := s.router.Flags()
	if flags&(route.Datagram|route.WebTransport) == 0 || s.options.RawDatagrams {
		return nil
	}
	h := &h3Server{s: s}
	// Without a Logger http3 prints in two cases, which do not come: a handler that panics, and one that sets a content-length which is
	// no number. With one it makes garbage for each request.
	h.http = &http3.Server{
		Handler:         http.HandlerFunc(h.serve),
		EnableDatagrams: true,
		MaxHeaderBytes:  s.options.MaxHeaderBytes,
	}
	if flags&route.WebTransport != 0 {
		h.http.AdditionalSettings = map[uint64]uint64{settingMaxSessions: 1}
		o := &s.options.WebTransport
		h.sessions = &webtransport.Server{
			H3: h.http,
			// Without limits Safari refuses, and a connection could have but one session.
			Config: &webtransport.Config{MaxIncomingStreams: int64(o.MaxStreamsBidi), MaxIncomingUniStreams: int64(o.MaxStreamsUni),
				MaxIncomingData: o.MaxData},
			ReorderingTimeout: o.DecisionTimeout,
			CheckOrigin:       func(*http.Request) bool { return true }, // it was, before the consumer was asked
		}
	}
	return h
}

// configure sets what QUIC must offer for it.
func (h *h3Server) configure(q *quic.Config) {
	q.EnableDatagrams = true
	if h.sessions != nil {
		o := &h.s.options.WebTransport
		q.EnableStreamResetPartialDelivery = true
		q.MaxIncomingStreams += int64(o.MaxStreamsBidi)
		q.MaxIncomingUniStreams += int64(o.MaxStreamsUni)
	}
}

// serves reports whether a connection is of the second kind.
func (h *h3Server) serves(q *quic.Conn) bool {
	state := q.ConnectionState()
	return state.SupportsDatagrams.Local && state.SupportsDatagrams.Remote
}

// connKey is the key of the *connRef in a connection's context.
type connKey struct{}

// A connRef leads from a connection of QUIC to the engine's. It is set before http3 sees the connection.
type connRef struct{ c *conn }

// run serves a connection until it has gone.
func (h *h3Server) run(q *quic.Conn) error {
	if h.sessions != nil {
		return h.sessions.ServeQUICConn(q)
	}
	raw, err := h.http.NewRawServerConn(q)
	if err != nil {
		return err
	}
	c := connOf(q.Context())
	c.spawn("uni streams", func() {
		for {
			s, err := q.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			c.spawn("uni stream", func() { raw.HandleUnidirectionalStream(s) })
		}
	})
	for {
		s, err := q.AcceptStream(context.Background())
		if err != nil {
			return nil
		}
		c.spawn("stream", func() { raw.HandleRequestStream(s) })
	}
}

func connOf(ctx context.Context) *conn { return ctx.Value(connKey{}).(*connRef).c }

// serve is http3's handler. It returns when nobody needs the goroutine any more, which for most requests is at once.
func (h *h3Server) serve(w http.ResponseWriter, req *http.Request) {
	defer sink.Catch("http3 stream") // http3 would recover a panic itself, and keep it to itself
	c := connOf(req.Context())
	c.enterStream()
	defer c.leaveStream()
	c.serveHTTP(w, req)
}
