// Plain is what the others are measured against: a server on quic-go's own http3, with its defaults, written as its documentation
// shows. It prints "ready <port>" and serves until it is killed.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/quic-go/quic-go/http3"

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
	server := &http3.Server{Handler: routes.New(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	fmt.Println("ready", conn.LocalAddr().(*net.UDPAddr).Port)
	log.Fatal(server.Serve(conn))
}
