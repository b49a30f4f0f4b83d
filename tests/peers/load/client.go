package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"strconv"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/quic-go/webtransport-go"
)

// The frame and stream types of RFC 9114 that a client of this kind meets.
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameSettings = 0x4
	streamControl = 0x0
)

const noError = 0x100 // H3_NO_ERROR

// client is the client side of one HTTP/3 connection with as little as the protocol allows, so that the server is what is
// measured. It takes every server alike: nothing in it knows which one answers.
type client struct {
	conn      *quic.Conn
	transport *quic.Transport
	authority string
	sessions  *webtransport.ClientConn // of those that measure WebTransport: see session.go
}

func dial(ctx context.Context, addr string, count *datagrams) (*client, error) {
	socket, err := listenCounting(count)
	if err != nil {
		return nil, err
	}
	remote, err := resolve(addr)
	if err != nil {
		return nil, err
	}
	transport := &quic.Transport{Conn: socket}
	conn, err := transport.Dial(ctx, remote, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{EnableDatagrams: *offer})
	if err != nil {
		transport.Close()
		socket.Close()
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	c := &client{conn: conn, transport: transport, authority: addr}
	control, err := conn.OpenUniStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := control.Write([]byte{streamControl, frameSettings, 0}); err != nil {
		return nil, err
	}
	go func() { // the server's control and QPACK streams: nothing in them concerns this client
		for {
			s, err := conn.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			go io.Copy(io.Discard, s)
		}
	}()
	return c, nil
}

func (c *client) close() {
	c.conn.CloseWithError(noError, "")
	c.transport.Close()
	c.transport.Conn.Close()
}

// request is the HEADERS frame of a request. A contentLength below zero leaves the field out.
func (c *client) request(method, path string, contentLength int64) []byte {
	fields := []qpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: c.authority}, {Name: ":path", Value: path},
		{Name: "user-agent", Value: "load"},
	}
	if contentLength >= 0 {
		fields = append(fields, qpack.HeaderField{Name: "content-length", Value: strconv.FormatInt(contentLength, 10)})
	}
	var block appender
	encoder := qpack.NewEncoder(&block)
	for _, f := range fields {
		encoder.WriteField(f) // an appender takes everything
	}
	encoder.Close()
	frame := quicvarint.Append([]byte{frameHeaders}, uint64(len(block)))
	return append(frame, block...)
}

// send opens a stream, writes a request without a body and ends it. A server may answer a request before it has seen its end, and
// say that it wants no more (RFC 9114, 4.1): the end then fails and means nothing, the answer tells all.
func (c *client) send(ctx context.Context, request []byte) (*quic.Stream, error) {
	s, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.Write(request); err != nil {
		return nil, err
	}
	s.Close()
	return s, nil
}

// text asks for a path and gives the answer's body, which has to be short.
func (c *client) text(ctx context.Context, path string) (string, error) {
	s, err := c.send(ctx, c.request("GET", path, -1))
	if err != nil {
		return "", err
	}
	a := answer{keep: true}
	if err := a.read(s, make([]byte, 4<<10)); err != nil {
		return "", fmt.Errorf("GET %s: %w", path, err)
	}
	return string(a.kept), nil
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) { *a = append(*a, p...); return len(p), nil }
