package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Events of the library (include/zig_h3.h) that this program waits for.
const (
	eventRequest        = 1
	eventStreamClosed   = 5
	eventSessionRequest = 15
	eventSessionClosed  = 18
	eventStreamOpened   = 20
	eventStreamEnded    = 24
)

// Settings, the token and the types of streams of draft-ietf-webtrans-http3-15.
const (
	settingEnabled        = 0x2c7cf000
	settingMaxData        = 0x2b61
	settingMaxStreamsUni  = 0x2b64
	settingMaxStreamsBidi = 0x2b65
	token                 = "webtransport-h3"
	streamUni             = 0x54
	streamBidi            = 0x41
)

// wireCode is how the wire has the code 1 of an application.
const wireCode = 0x52e4a40fa8db + 1

// A peer is one connection to the server. Its streams from the server are its user's: http3 sees none of them.
type peer struct {
	conn *quic.Conn
	h3   *http3.RawClientConn
	wt   *http3.RequestStream // the CONNECT stream of its session, if it has one
}

// dial connects. window is what QUIC may send on a stream before it is read, 0 the default; limits are the settings of sessions.
func dial(ctx context.Context, port string, window uint64, limits map[uint64]uint64) (*peer, error) {
	conn, err := quic.DialAddr(ctx, "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}},
		&quic.Config{EnableDatagrams: true, InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window})
	if err != nil {
		return nil, err
	}
	settings := map[uint64]uint64{settingEnabled: 1}
	for id, value := range limits {
		settings[id] = value
	}
	return &peer{conn: conn, h3: (&http3.Transport{EnableDatagrams: true, AdditionalSettings: settings}).NewRawClientConn(conn)}, nil
}

// ignores takes the streams that the server opens and reads what is on them.
func (p *peer) ignores(ctx context.Context) {
	for {
		s, err := p.conn.AcceptUniStream(ctx)
		if err != nil {
			return
		}
		go io.Copy(io.Discard, s)
	}
}

// ask sends the header of a request, and no more of it.
func (p *peer) ask(ctx context.Context, method, protocol, path string) (*http3.RequestStream, error) {
	request, err := http.NewRequest(method, "https://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	if protocol != "" {
		request.Proto = protocol
	}
	s, err := p.h3.OpenRequestStream(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.SendRequestHeader(request)
}

// get makes a whole request.
func (p *peer) get(ctx context.Context, path string) error {
	s, err := p.ask(ctx, http.MethodGet, "", path)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled)) })()
	s.Close() // fails where the server has answered already, and wants no more of it
	response, err := s.ReadResponse()
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %d, %w", path, response.StatusCode, err)
	}
	return nil
}

// session opens a session and returns its CONNECT stream.
func (p *peer) session(ctx context.Context, path string) (*http3.RequestStream, error) {
	s, err := p.ask(ctx, http.MethodConnect, token, path)
	if err != nil {
		return nil, err
	}
	response, err := s.ReadResponse()
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("CONNECT %s: %d", path, response.StatusCode)
	}
	return s, err
}

// header is what a stream of a session begins with.
func header(kind uint64, session *http3.RequestStream) []byte {
	return quicvarint.Append(quicvarint.Append(nil, kind), uint64(session.StreamID()))
}

// end waits for the end of the connection and says how the server closed it.
func (p *peer) end(ctx context.Context) (quic.ApplicationErrorCode, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	select {
	case <-p.conn.Context().Done():
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	err := context.Cause(p.conn.Context())
	var closed *quic.ApplicationError
	if !errors.As(err, &closed) || !closed.Remote {
		return 0, err
	}
	return closed.ErrorCode, nil
}

// A company is the connection that behaves, and where others go to.
type company struct {
	*peer
	port string
}

func newCompany(ctx context.Context, port string) (*company, error) {
	p, err := dial(ctx, port, 0, nil)
	if err != nil {
		return nil, err
	}
	go p.ignores(ctx)
	return &company{p, port}, nil
}

// await returns when the server has seen n events of a type.
func (c *company) await(ctx context.Context, event, n int) error {
	return c.get(ctx, fmt.Sprintf("/await/%d/%d", event, n))
}
