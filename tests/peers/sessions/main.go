// Sessions is webtransport-go as a peer for sessions alone, in either role. It is built twice: with the version of tests/peers/go.mod, and with
// that of tests/peers/webtransport-0.9.mod (tag webtransport09), of 2025, which speaks draft 02 and no other.
//
//	sessions [-draft 14] CERT KEY   a server: tests/rust/peers/src/lib.rs says what such a server does and prints
//	sessions -dial URL CERT         a client: tests/bun/peer_clients.ts says what such a client does and prints
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"os"
)

var (
	draft = flag.Int("draft", 0, "of the drafts that the server speaks this one alone, which must be 14; 0: all")
	to    = flag.String("dial", "", "be a client, of this server")
)

func main() {
	flag.Parse()
	if *to != "" {
		pem, err := os.ReadFile(flag.Arg(0))
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		dial(*to, &tls.Config{RootCAs: roots})
		return
	}
	pair, err := tls.LoadX509KeyPair(flag.Arg(0), flag.Arg(1))
	must(err)
	serve(&tls.Config{Certificates: []tls.Certificate{pair}})
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
