//go:build !webtransport09

package main

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"net/url"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// Flow control of sessions, of which draft 14 says that it is there where a setting allows more than one on a connection.
var limits = &webtransport.Config{MaxIncomingStreams: 100, MaxIncomingUniStreams: 100, MaxIncomingData: 16 << 20}

var quicConfig = &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}

// newServer is one of all drafts, or of draft 14 alone: the same, for a client that is told of no other.
func newServer(handler http.Handler, config *tls.Config) *webtransport.Server {
	const enable02, enabled15 = 0x2b603742, 0x2c7cf000
	server := &webtransport.Server{
		H3:          &http3.Server{Handler: handler, TLSConfig: config, QUICConfig: quicConfig},
		Config:      limits,
		CheckOrigin: func(*http.Request) bool { return true },
	}
	switch *draft {
	case 0:
		webtransport.ConfigureHTTP3Server(server.H3)
	case 14:
		// It configures once more as it begins to serve, and not again: it may do so on a socket that is none.
		closed, err := net.ListenPacket("udp", "127.0.0.1:0")
		must(err)
		closed.Close()
		server.Serve(closed)
		delete(server.H3.AdditionalSettings, enable02)
		delete(server.H3.AdditionalSettings, enabled15)
	default:
		log.Fatal("-draft 14, or none")
	}
	return server
}

// newDialer makes a connection for each session. Not by Transport.Dial, which ends that as soon as the session is closed, before its peer knows.
func newDialer(config *tls.Config) func(context.Context, string) (*http.Response, *webtransport.Session, error) {
	transport := &webtransport.Transport{Config: limits}
	return func(ctx context.Context, to string) (*http.Response, *webtransport.Session, error) {
		parsed, err := url.Parse(to)
		must(err)
		conn, err := quic.DialAddr(ctx, parsed.Host, http3.ConfigureTLSConfig(config), quicConfig)
		must(err)
		client, err := transport.NewClientConn(conn)
		must(err)
		return client.Dial(ctx, to, nil)
	}
}
