package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// drain opens a WebTransport session, as old drafts do, asks the server twice to end it, and prints the capsules that come until it does:
//
//	peer PORT drain PATH
//
//	capsule 78ae          (type, and what is in it, in hex)
//	capsule 2843 00000007627965
func drain(port, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}},
		&quic.Config{EnableDatagrams: true})
	if err != nil {
		return err
	}
	defer conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	stream, err := (&http3.Transport{EnableDatagrams: true}).NewClientConn(conn).OpenRequestStream(ctx)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodConnect, "https://127.0.0.1:"+port+path, nil)
	if err != nil {
		return err
	}
	request.Proto = "webtransport"
	if err := stream.SendRequestHeader(request); err != nil {
		return err
	}
	if _, err := stream.ReadResponse(); err != nil {
		return err
	}
	for range 2 {
		if _, err := stream.Write(append(quicvarint.Append(nil, 0x78ae), 0)); err != nil {
			return err
		}
	}
	for parser := http3.NewCapsuleParser(stream); ; {
		kind, body, err := parser.Next()
		if err == io.EOF {
			return stream.Close()
		}
		if err != nil {
			return err
		}
		payload, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		fmt.Printf("capsule %x %x\n", uint64(kind), payload)
	}
}
