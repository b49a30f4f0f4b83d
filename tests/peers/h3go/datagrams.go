package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A flow carries datagrams, raw or those of a request.
type flow interface {
	SendDatagram([]byte) error
	ReceiveDatagram(context.Context) ([]byte, error)
}

// datagrams sends count datagrams, the first of 0 bytes, each a byte longer than the one before and when that was echoed. Then it
// reads whatever comes, until the server has said goodbye by a datagram "bye":
//
//	peer PORT datagrams PATH COUNT     of a POST request for PATH
//	peer PORT datagrams raw COUNT      raw ones, on a connection that has no SETTINGS
//	peer PORT datagrams burst COUNT    such, of 64 bytes, as fast as QUIC takes them; and goes, whatever the server says
func datagrams(ctx context.Context, port, path string, count int) error {
	config := &quic.Config{EnableDatagrams: true}
	conn, err := quic.DialAddr(ctx, "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, config)
	if err != nil {
		return err
	}
	defer conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	if path == "raw" {
		return exchange(ctx, conn, count)
	}
	if path == "burst" {
		if _, err := conn.AcceptUniStream(ctx); err != nil { // the server has it, too
			return err
		}
		for range count {
			if err := conn.SendDatagram(make([]byte, 64)); err != nil {
				return err
			}
		}
		fmt.Println("sent", count)
		time.Sleep(200 * time.Millisecond) // or its goodbye may be one too many for the server's socket
		return nil
	}
	client := (&http3.Transport{EnableDatagrams: true}).NewClientConn(conn)
	stream, err := client.OpenRequestStream(ctx)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, "https://127.0.0.1:"+port+path, nil)
	if err != nil {
		return err
	}
	if err := stream.SendRequestHeader(request); err != nil {
		return err
	}
	fmt.Println("flow", stream.StreamID()/4)
	select {
	case <-client.ReceivedSettings(): // it sends none before
	case <-ctx.Done():
		return ctx.Err()
	}
	if client.Settings().EnableDatagrams {
		ctx, cancel := context.WithCancel(ctx)
		defer context.AfterFunc(stream.Context(), cancel)() // the server wants no more: it will not answer
		if err := exchange(ctx, stream, count); err != nil {
			return err
		}
	} else {
		fmt.Println("no datagrams")
	}
	stream.Close()
	time.Sleep(time.Second) // a response larger than the stream's window cannot end before
	response, err := stream.ReadResponse()
	if err != nil {
		return err
	}
	fmt.Println("status", response.StatusCode)
	return nil
}

func exchange(ctx context.Context, f flow, count int) error {
	payload := make([]byte, count)
	for i := range count {
		payload[i] = byte(i)
		if err := f.SendDatagram(payload[:i]); err != nil {
			return err
		}
		echo, err := f.ReceiveDatagram(ctx)
		if err != nil {
			return err
		}
		if !bytes.Equal(echo, payload[:i]) {
			return fmt.Errorf("%d bytes came back as %q", i, echo)
		}
	}
	fmt.Println("echoes", count)
	for {
		d, err := f.ReceiveDatagram(ctx)
		if err != nil {
			return err
		}
		if string(d) == "bye" {
			fmt.Println("bye")
			return nil
		}
	}
}

func tellDatagrams(arguments []string) {
	count, err := strconv.Atoi(arguments[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err = datagrams(ctx, os.Args[1], arguments[0], count)
	if end, ok := errors.AsType[*quic.ApplicationError](err); ok {
		fmt.Println("closed", end.Remote, uint64(end.ErrorCode))
	} else if err != nil {
		tell(err)
	}
}
