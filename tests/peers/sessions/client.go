package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/quic-go/webtransport-go"
)

// dial does what a client does, one thing after the other, and says what came of each.
func dial(url string, config *tls.Config) {
	dialer := newDialer(config)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	open := func(path string) (int, *webtransport.Session) {
		response, session, err := dialer(ctx, url+path)
		if err != nil && response == nil {
			log.Fatal(err)
		}
		return response.StatusCode, session
	}

	_, session := open("/echo")
	stream, err := session.OpenStreamSync(ctx)
	must(err)
	_, err = io.WriteString(stream, "there and back")
	must(err)
	stream.Close()
	fmt.Println("both", text(stream))
	out, err := session.OpenUniStreamSync(ctx)
	must(err)
	_, err = io.WriteString(out, "one way")
	must(err)
	out.Close()
	in, err := session.AcceptUniStream(ctx)
	must(err)
	fmt.Println("one", text(in))
	fmt.Println("datagram", datagram(ctx, session))

	stream, err = session.OpenStreamSync(ctx)
	must(err)
	fmt.Println("back", word(stream))
	stream.CancelWrite(1000)
	_, err = stream.Read(make([]byte, 1))
	code, _ := codeOf(err)
	fmt.Println("reset", code)
	stream, err = session.OpenStreamSync(ctx)
	must(err)
	fmt.Println("back", word(stream))
	stream.CancelRead(29)
	for err = nil; err == nil; {
		_, err = io.WriteString(stream, "x")
		time.Sleep(10 * time.Millisecond)
	}
	code, _ = codeOf(err)
	fmt.Println("stopped", code)
	must(session.CloseWithError(3, "done"))

	_, session = open("/close?code=42&reason=so%20be%20it")
	stream, err = session.OpenStreamSync(ctx)
	must(err)
	_, err = io.WriteString(stream, "x")
	must(err)
	_, err = session.AcceptStream(ctx)
	var closed *webtransport.SessionError
	if !errors.As(err, &closed) {
		log.Fatal(err)
	}
	fmt.Println("closed", closed.ErrorCode, closed.Message)
	status, _ := open("/refuse")
	fmt.Println("refused", status)
}

func text(from io.Reader) string {
	all, err := io.ReadAll(from)
	must(err)
	return string(all)
}

// word sends one, and reads what comes back of it.
func word(stream io.ReadWriter) string {
	_, err := io.WriteString(stream, "word")
	must(err)
	buffer := make([]byte, 4)
	_, err = io.ReadFull(stream, buffer)
	must(err)
	return string(buffer)
}

// datagram sends one again and again until it comes back: it may be lost.
func datagram(ctx context.Context, session *webtransport.Session) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			session.SendDatagram([]byte("gram"))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	came, err := session.ReceiveDatagram(ctx)
	must(err)
	return string(came)
}
