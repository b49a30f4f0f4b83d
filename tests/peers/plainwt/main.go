// Plainwt is what WebTransport on our server is measured against: a server on webtransport-go alone, written as its documentation
// shows. It answers requests as plain does; sessions at /echo get every datagram and stream back. It prints "ready <port>" and serves
// until it is killed.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"

	"zigh3/tests/peers/routes"
)

var (
	addr = flag.String("addr", "127.0.0.1:0", "address to listen on")
	cert = flag.String("cert", "", "PEM file with the certificate")
	key  = flag.String("key", "", "PEM file with its key")
)

func main() {
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	mux := routes.New()
	server := &webtransport.Server{
		H3: &http3.Server{
			Handler:    mux,
			TLSConfig:  http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}}),
			QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true},
		},
		// Without limits a connection has but one session at a time.
		Config:      &webtransport.Config{MaxIncomingStreams: 100, MaxIncomingUniStreams: 100, MaxIncomingData: 16 << 20},
		CheckOrigin: func(*http.Request) bool { return true },
	}
	webtransport.ConfigureHTTP3Server(server.H3)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		session, err := server.Upgrade(w, r)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		echo(session)
	})
	fmt.Println("ready", conn.LocalAddr().(*net.UDPAddr).Port)
	log.Fatal(server.Serve(conn))
}

// echo serves a session until it ends.
func echo(session *webtransport.Session) {
	ctx := session.Context()
	go func() {
		for {
			stream, err := session.AcceptStream(ctx)
			if err != nil {
				return
			}
			go func() {
				io.Copy(stream, stream)
				stream.Close()
			}()
		}
	}()
	go func() {
		for {
			in, err := session.AcceptUniStream(ctx)
			if err != nil {
				return
			}
			go echoUnidirectional(ctx, session, in)
		}
	}()
	for {
		datagram, err := session.ReceiveDatagram(ctx)
		if err != nil {
			return
		}
		session.SendDatagram(datagram)
	}
}

// echoUnidirectional answers a unidirectional stream on one of its own.
func echoUnidirectional(ctx context.Context, session *webtransport.Session, in *webtransport.ReceiveStream) {
	out, err := session.OpenUniStreamSync(ctx)
	if err != nil {
		return
	}
	io.Copy(out, in)
	out.Close()
}
