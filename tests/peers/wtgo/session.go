package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"

	"github.com/quic-go/webtransport-go"
)

type session struct {
	*webtransport.Session
}

// dial asks for a session. One that is refused is an answer, too: its status.
func (d *driver) dial(c *command) (any, error) {
	conn, err := find(d, d.conns, c.Conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	header := http.Header{}
	for name, value := range c.Headers {
		header.Set(name, value)
	}
	if c.Origin != "" {
		header.Set("Origin", c.Origin)
	}
	response, s, err := conn.client.Dial(ctx, "https://"+conn.host+c.Path, header)
	if err != nil {
		if response != nil {
			return map[string]any{"session": 0, "status": response.StatusCode, "error": err.Error()}, nil
		}
		return nil, err
	}
	fields := map[string]string{}
	for name := range response.Header {
		fields[http.CanonicalHeaderKey(name)] = response.Header.Get(name)
	}
	number := add(d, d.sessions, &session{s})
	return map[string]any{"session": number, "status": response.StatusCode, "protocol": s.SessionState().ApplicationProtocol, "headers": fields}, nil
}

// export derives keying material, with data as label and reason as context; code is the session's id, which the library does not tell.
func (d *driver) export(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	context := binary.BigEndian.AppendUint64(nil, uint64(c.Code))
	context = append(append(context, byte(len(c.Data))), c.Data...)
	context = append(append(context, byte(len(c.Reason))), c.Reason...)
	state := s.SessionState().ConnectionState.TLS
	return state.ExportKeyingMaterial("EXPORTER-WebTransport", context, c.Size)
}

func (d *driver) close(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	return nil, s.CloseWithError(webtransport.SessionErrorCode(c.Code), c.Reason)
}

// closed waits for the end of a session.
func (d *driver) closed(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	select {
	case <-s.Context().Done():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for err == nil { // the library tells why a session ended to who asks it for more, once it has given what was there
		_, err = s.AcceptStream(ctx)
	}
	if end, ok := errors.AsType[*webtransport.SessionError](err); ok {
		return map[string]any{"remote": end.Remote, "code": end.ErrorCode, "reason": end.Message}, nil
	}
	return map[string]any{"error": err.Error()}, nil
}

// datagram sends count datagrams with the same payload.
func (d *driver) datagram(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	for range max(c.Count, 1) {
		if err := s.SendDatagram(c.Data); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// receive waits for count datagrams.
func (d *driver) receive(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	return receive(ctx, s, max(c.Count, 1))
}

func receive(ctx context.Context, s *session, n int) ([][]byte, error) {
	came := make([][]byte, 0, n)
	for len(came) < n {
		datagram, err := s.ReceiveDatagram(ctx)
		if err != nil {
			return nil, err
		}
		came = append(came, append([]byte{}, datagram...))
	}
	return came, nil
}
