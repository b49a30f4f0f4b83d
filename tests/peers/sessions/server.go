package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

func serve(config *tls.Config) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(err)
	mux := http.NewServeMux()
	server := newServer(mux, http3.ConfigureTLSConfig(config))
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, path := range []string{"/echo", "/asked", "/codes", "/close"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if path == "/asked" {
				asked := r.Header.Get("Sec-Webtransport-Http3-Draft02")
				if asked == "" {
					asked = "-"
				}
				fmt.Println("asked", asked, r.Proto)
			}
			session, err := server.Upgrade(w, r)
			must(err)
			switch path {
			case "/codes":
				codes(session)
			case "/close":
				_, err := session.AcceptStream(context.Background())
				must(err)
				session.CloseWithError(7, "enough")
			}
			echo(session)
		})
	}
	fmt.Println("ready", conn.LocalAddr().(*net.UDPAddr).Port)
	log.Fatal(server.Serve(conn))
}

// codes resets a stream once it is answered, and stops the other direction.
func codes(session *webtransport.Session) {
	stream, err := session.OpenStreamSync(context.Background())
	must(err)
	io.WriteString(stream, "codes")
	_, err = io.ReadFull(stream, make([]byte, 1))
	must(err)
	stream.CancelWrite(5)
	stream.CancelRead(6)
}

// echo serves a session until it ends, and says how.
func echo(session *webtransport.Session) {
	ctx := context.Background()
	go func() {
		for {
			datagram, err := session.ReceiveDatagram(ctx)
			if err != nil {
				return
			}
			session.SendDatagram(datagram)
		}
	}()
	go func() {
		for {
			in, err := session.AcceptUniStream(ctx)
			if err != nil {
				return
			}
			go func() {
				if out, err := session.OpenUniStreamSync(ctx); err == nil {
					back(out, in)
				}
			}()
		}
	}()
	for {
		stream, err := session.AcceptStream(ctx)
		if err != nil {
			var closed *webtransport.SessionError
			if errors.As(err, &closed) && closed.Remote {
				fmt.Println("closed", closed.ErrorCode, closed.Message)
			}
			return
		}
		go back(stream, stream)
	}
}

type sending interface {
	io.WriteCloser
	CancelWrite(webtransport.StreamErrorCode)
}

// back sends what comes until its end, and the code that it is reset with.
func back(to sending, from io.Reader) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if _, stopped := to.Write(buffer[:n]); stopped != nil {
			if code, ok := codeOf(stopped); ok {
				fmt.Println("stopped", code)
			}
			return
		}
		if errors.Is(err, io.EOF) {
			to.Close()
			return
		}
		if code, ok := codeOf(err); ok {
			fmt.Println("reset", code)
			to.CancelWrite(code)
		}
		if err != nil {
			return
		}
	}
}

func codeOf(err error) (webtransport.StreamErrorCode, bool) {
	var of *webtransport.StreamError
	if !errors.As(err, &of) {
		return 0, false
	}
	return of.ErrorCode, true
}
