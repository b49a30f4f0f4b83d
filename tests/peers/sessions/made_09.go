//go:build webtransport09

package main

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

func newServer(handler http.Handler, config *tls.Config) *webtransport.Server {
	return &webtransport.Server{
		H3:          http3.Server{Handler: handler, TLSConfig: config},
		CheckOrigin: func(*http.Request) bool { return true },
	}
}

func newDialer(config *tls.Config) func(context.Context, string) (*http.Response, *webtransport.Session, error) {
	dialer := &webtransport.Dialer{TLSClientConfig: config, QUICConfig: &quic.Config{EnableDatagrams: true}}
	return func(ctx context.Context, url string) (*http.Response, *webtransport.Session, error) {
		return dialer.Dial(ctx, url, nil)
	}
}
