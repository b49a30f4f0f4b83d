package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// A connection carries sessions and plain requests. It has a socket of its own, which can be taken away from it.
type connection struct {
	socket    *net.UDPConn
	transport *quic.Transport
	quic      *quic.Conn
	client    *webtransport.ClientConn
	host      string
}

func newConnection(ctx context.Context, c *command) (*connection, error) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	conn := &connection{socket: socket, transport: &quic.Transport{Conn: socket}, host: fmt.Sprintf("127.0.0.1:%d", c.Port)}
	config := &quic.Config{
		EnableDatagrams: true, EnableStreamResetPartialDelivery: true, MaxIncomingStreams: 10000, MaxIncomingUniStreams: 10000,
		InitialStreamReceiveWindow: c.Window, MaxStreamReceiveWindow: c.Window, KeepAlivePeriod: time.Duration(c.KeepAlive) * time.Millisecond,
	}
	conn.quic, err = conn.transport.Dial(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.Port}, tlsConfig(), config)
	if err != nil {
		conn.end()
		return nil, err
	}
	transport := &webtransport.Transport{
		ApplicationProtocols: c.Protocols,
		Config: &webtransport.Config{
			MaxIncomingStreams: c.MaxBidi, MaxIncomingUniStreams: c.MaxUni, MaxIncomingData: dataLimit(c),
		},
	}
	conn.client, err = transport.NewClientConn(conn.quic)
	if err != nil {
		conn.end()
		return nil, err
	}
	return conn, nil
}

// tlsConfig takes any certificate: who the server is does not matter here.
func tlsConfig() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}, ServerName: "localhost"}
}

// end closes the connection and its socket.
func (conn *connection) end() {
	if conn.quic != nil {
		conn.quic.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
	conn.transport.Close()
	conn.socket.Close()
}

func (d *driver) connect(c *command) (any, error) {
	ctx, cancel := c.context()
	defer cancel()
	conn, err := newConnection(ctx, c)
	if err != nil {
		return nil, err
	}
	return add(d, d.conns, conn), nil
}

// get sends a plain request on the connection of sessions.
func (d *driver) get(c *command) (any, error) {
	conn, err := find(d, d.conns, c.Conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+conn.host+c.Path, nil)
	if err != nil {
		return nil, err
	}
	response, err := conn.client.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return map[string]any{"status": response.StatusCode, "body": string(body)}, err
}

func (d *driver) disconnect(c *command) (any, error) {
	conn, err := find(d, d.conns, c.Conn)
	if err == nil {
		conn.end()
	}
	return nil, err
}

// vanish takes the socket away: nothing goes out any more, no CONNECTION_CLOSE either.
func (d *driver) vanish(c *command) (any, error) {
	conn, err := find(d, d.conns, c.Conn)
	if err == nil {
		err = conn.socket.Close()
	}
	return nil, err
}
