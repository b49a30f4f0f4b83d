// Odd is a server that answers each request with what the request says, right or wrong: its path is a list of steps, JSON in base64url.
// It prints "ready <port>" and serves until it is killed.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

var (
	addr = flag.String("addr", "127.0.0.1:0", "address to listen on")
	cert = flag.String("cert", "", "PEM file with the certificate")
	key  = flag.String("key", "", "PEM file with its key")
)

// A step is one thing that an answer is made of. Of its fields one counts.
type step struct {
	Head   [][2]string `json:"head"`  // a HEADERS frame
	Data   *string     `json:"data"`  // a DATA frame
	Zeros  int         `json:"zeros"` // a DATA frame of so many bytes
	Raw    string      `json:"raw"`   // bytes, in hexadecimal
	Wait   int         `json:"wait"`  // ms
	Gate   string      `json:"gate"`  // waits until somebody has opened the gate of this name
	Open   string      `json:"open"`
	Fin    bool        `json:"fin"`
	Reset  *uint64     `json:"reset"` // RESET_STREAM with this code
	Stop   *uint64     `json:"stop"`  // STOP_SENDING with this code
	Close  *uint64     `json:"close"` // CONNECTION_CLOSE with this code
	GoAway *uint64     `json:"goaway"`
	Uni    string      `json:"uni"` // a stream of its own of these bytes
	Repeat int         `json:"repeat"`
	Steps  []step      `json:"steps"`
}

func main() {
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	// Early, so that requests are answered that come as early data (0-RTT).
	listener, err := quic.ListenAddrEarly(*addr, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h3"}}, &quic.Config{EnableDatagrams: true, Allow0RTT: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", listener.Addr().(*net.UDPAddr).Port)
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn)
	}
}

// A session is one connection and its control stream.
type session struct {
	conn    *quic.Conn
	control *quic.SendStream
}

func serve(conn *quic.Conn) {
	control, err := conn.OpenUniStream()
	if err != nil {
		return
	}
	control.Write([]byte{0x0, 0x4, 0x0}) // an empty SETTINGS
	s := &session{conn, control}
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go s.answer(stream)
	}
}

func (s *session) answer(stream *quic.Stream) {
	steps, err := read(stream)
	if err != nil {
		stream.CancelWrite(0x10e) // H3_MESSAGE_ERROR
		return
	}
	s.do(stream, steps)
}

// read takes the steps out of a request's path.
func read(stream *quic.Stream) (steps []step, err error) {
	reader := quicvarint.NewReader(stream)
	typ, err := quicvarint.Read(reader)
	if err != nil || typ != 1 {
		return nil, errors.New("no HEADERS")
	}
	length, err := quicvarint.Read(reader)
	if err != nil {
		return nil, err
	}
	block := make([]byte, length)
	if _, err := io.ReadFull(stream, block); err != nil {
		return nil, err
	}
	next := qpack.NewDecoder().Decode(block)
	for {
		field, err := next()
		if err != nil {
			return nil, err
		}
		if field.Name != ":path" {
			continue
		}
		text, err := base64.RawURLEncoding.DecodeString(field.Value[1:])
		if err != nil {
			return nil, err
		}
		return steps, json.Unmarshal(text, &steps)
	}
}

// do takes the steps. False: the answer is over.
func (s *session) do(stream *quic.Stream, steps []step) bool {
	for _, st := range steps {
		switch {
		case st.Head != nil:
			stream.Write(frame(1, fields(st.Head)))
		case st.Data != nil:
			stream.Write(frame(0, []byte(*st.Data)))
		case st.Zeros > 0:
			stream.Write(frame(0, make([]byte, st.Zeros)))
		case st.Raw != "":
			stream.Write(unhex(st.Raw))
		case st.Gate != "":
			select {
			case <-gate(st.Gate):
			case <-s.conn.Context().Done():
				return false
			}
		case st.Open != "":
			close(gate(st.Open))
		case st.Wait > 0:
			time.Sleep(time.Duration(st.Wait) * time.Millisecond)
		case st.Fin:
			stream.Close()
			return false
		case st.Reset != nil:
			stream.CancelWrite(quic.StreamErrorCode(*st.Reset))
			return false
		case st.Stop != nil:
			stream.CancelRead(quic.StreamErrorCode(*st.Stop))
		case st.Close != nil:
			s.conn.CloseWithError(quic.ApplicationErrorCode(*st.Close), "as the request says")
			return false
		case st.GoAway != nil:
			s.control.Write(frame(7, quicvarint.Append(nil, *st.GoAway)))
		case st.Uni != "":
			if uni, err := s.conn.OpenUniStream(); err == nil {
				uni.Write(unhex(st.Uni))
			}
		case st.Repeat > 0:
			for range st.Repeat {
				if !s.do(stream, st.Steps) {
					return false
				}
			}
		}
	}
	return true
}

var gates sync.Map

// gate is closed once it is open.
func gate(name string) chan struct{} {
	g, _ := gates.LoadOrStore(name, make(chan struct{}))
	return g.(chan struct{})
}

func frame(typ uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, typ), uint64(len(payload))), payload...)
}

func fields(list [][2]string) []byte {
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, field := range list {
		encoder.WriteField(qpack.HeaderField{Name: field[0], Value: field[1]})
	}
	encoder.Close()
	return block.Bytes()
}

func unhex(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil {
		log.Fatal(err)
	}
	return raw
}
