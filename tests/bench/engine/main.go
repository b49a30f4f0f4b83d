// Engine is the Go engine alone, without C, rings or JavaScript: one goroutine takes its events out of a queue in memory and answers
// them. What it costs less than the plain server, and what the other layers add to it, is what the benchmark wants to know.
// It prints "ready <port>" and serves until it is killed.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"

	"zigh3/engine/config"
	"zigh3/engine/server"
	"zigh3/engine/sink"
)

var (
	addr     = flag.String("addr", "127.0.0.1:0", "address to listen on")
	cert     = flag.String("cert", "", "PEM file with the certificate; none: one for development")
	key      = flag.String("key", "", "PEM file with its key")
	sessions = flag.Bool("sessions", false, "take WebTransport sessions at "+echoPattern)
	options  = flag.String("options", "", "JSON text of the server's options")
)

func main() {
	flag.Parse()
	host, port, err := net.SplitHostPort(*addr)
	if err != nil {
		log.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	o, err := config.ParseOptions(host, uint16(number), *cert, *key, []byte(*options))
	if err != nil {
		log.Fatal(err)
	}
	sink.SetFaultHandler(func(name string, v any, stack []byte) {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", name, v, stack)
		os.Exit(1)
	})
	queue := newQueue()
	server, err := server.New(o, 1, []sink.Sink{queue}, new(sink.Stats))
	if err != nil {
		log.Fatal(err)
	}
	for i, pattern := range patterns {
		if _, err := server.Route("GET", pattern, 0, uint64(i)); err != nil {
			log.Fatal(err)
		}
	}
	if *sessions {
		const webTransport = 0x4 // ZIG_H3_ROUTE_WEBTRANSPORT
		if _, err := server.Route("", echoPattern, webTransport, 0); err != nil {
			log.Fatal(err)
		}
	}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", server.Port())
	newReactor(queue).run()
}
