package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// largestSection bounds the header blocks that are read.
const largestSection = 1 << 20

// A RequestStream is the stream of a request. It is opened without a byte; the test sends what it likes. One goroutine reads from it, any
// may write.
type RequestStream struct {
	// Stream is the stream itself. Who reads from it takes what Read, ReadResponse and the session would have read.
	Stream *quic.Stream

	c        *Client
	flow     *flow
	writing  sync.Mutex // keeps frames together
	left     uint64     // of the DATA frame that is being read
	answered bool       // the header section is read
	trailer  http.Header
}

// A Response is what a request came to.
type Response struct {
	Status  int
	Header  http.Header
	Interim []int // of the responses 1xx before it
	Body    []byte
	Trailer http.Header
}

// OpenRequest opens a request's stream.
func (c *Client) OpenRequest() *RequestStream {
	c.t.Helper()
	ctx, cancel := patient()
	defer cancel()
	r, err := c.openRequest(ctx)
	if err != nil {
		c.t.Fatalf("opening a request's stream: %v", err)
	}
	return r
}

func (c *Client) openRequest(ctx context.Context) (*RequestStream, error) {
	s, err := c.Conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	return &RequestStream{Stream: s, c: c, flow: c.flowOf(uint64(s.StreamID()))}, nil
}

// fields are those of a request to the server.
func (c *Client) fields(method, path string, more []string) []string {
	return append([]string{":method", method, ":scheme", "https", ":authority", c.Authority, ":path", path}, more...)
}

// Client is that of the stream's connection.
func (r *RequestStream) Client() *Client { return r.c }

// ID is the stream's.
func (r *RequestStream) ID() uint64 { return uint64(r.Stream.StreamID()) }

// SendRequest sends a header section to the server's authority.
func (r *RequestStream) SendRequest(method, path string, fields ...string) error {
	return r.SendHeaders(r.c.fields(method, path, fields)...)
}

// SendHeaders sends a HEADERS frame of fields, of whatever kind.
func (r *RequestStream) SendHeaders(fields ...string) error { return r.WriteRaw(Headers(fields...)) }

// WriteRaw sends bytes as they are.
func (r *RequestStream) WriteRaw(p []byte) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	_, err := r.Stream.Write(p)
	return err
}

// Write sends a DATA frame.
func (r *RequestStream) Write(p []byte) (int, error) {
	if err := r.WriteRaw(Frame(FrameData, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the client's side.
func (r *RequestStream) Close() error { return r.Stream.Close() }

// CancelWrite resets the client's side.
func (r *RequestStream) CancelWrite(code uint64) { r.Stream.CancelWrite(quic.StreamErrorCode(code)) }

// CancelRead stops the server's.
func (r *RequestStream) CancelRead(code uint64) { r.Stream.CancelRead(quic.StreamErrorCode(code)) }

// SetReadDeadline bounds reads.
func (r *RequestStream) SetReadDeadline(t time.Time) error { return r.Stream.SetReadDeadline(t) }

// SendDatagram sends one of the request's.
func (r *RequestStream) SendDatagram(p []byte) error { return r.c.SendDatagramTo(r.ID(), p) }

// ReceiveDatagram waits for one of the request's.
func (r *RequestStream) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	return r.flow.next(ctx, r.c.Conn.Context())
}

// A byteReader reads a stream a byte at a time, and knows whether it has.
type byteReader struct {
	from io.Reader
	n    int
}

func (b *byteReader) ReadByte() (byte, error) {
	var p [1]byte
	_, err := io.ReadFull(b.from, p[:])
	if err == nil {
		b.n++
	}
	return p[0], err
}

// varint reads one; begin says that the stream may end before it.
func (r *RequestStream) varint(begin bool) (uint64, error) {
	b := byteReader{from: r.Stream}
	v, err := quicvarint.Read(&b)
	if !begin || b.n > 0 {
		err = cut(err)
	}
	return v, err
}

// frame reads the head of the next frame that is not of an unknown type.
func (r *RequestStream) frame() (typ, length uint64, err error) {
	for {
		if typ, err = r.varint(true); err != nil {
			return 0, 0, err
		}
		if length, err = r.varint(false); err != nil {
			return 0, 0, err
		}
		switch typ {
		case FrameData, FrameHeaders:
			return typ, length, nil
		case FrameCancelPush, FrameSettings, FramePushPromise, FrameGoAway, FrameMaxPushID:
			return 0, 0, fmt.Errorf("frame %#x on a request's stream", typ)
		}
		if _, err := io.CopyN(io.Discard, r.Stream, int64(length)); err != nil {
			return 0, 0, cut(err)
		}
	}
}

// section reads the payload of a HEADERS frame.
func (r *RequestStream) section(length uint64) ([]string, error) {
	if length > largestSection {
		return nil, fmt.Errorf("a field section of %d bytes", length)
	}
	p := make([]byte, length)
	if _, err := io.ReadFull(r.Stream, p); err != nil {
		return nil, cut(err)
	}
	return Fields(p)
}

// ReadResponse reads the header section of the response and nothing behind it.
func (r *RequestStream) ReadResponse() (*Response, error) {
	resp := &Response{}
	for {
		typ, length, err := r.frame()
		if err != nil {
			return nil, cut(err)
		}
		if typ != FrameHeaders {
			return nil, errors.New("DATA before HEADERS")
		}
		fields, err := r.section(length)
		if err != nil {
			return nil, err
		}
		if len(fields) < 2 || fields[0] != ":status" {
			return nil, fmt.Errorf("a response without a status: %q", fields)
		}
		status, err := strconv.Atoi(fields[1])
		if err != nil || len(fields[1]) != 3 {
			return nil, fmt.Errorf("status %q", fields[1])
		}
		header, err := headerOf(fields[2:])
		if err != nil {
			return nil, err
		}
		if status < 200 {
			resp.Interim = append(resp.Interim, status)
			continue
		}
		resp.Status, resp.Header = status, header
		r.answered = true
		return resp, nil
	}
}

func headerOf(fields []string) (http.Header, error) {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "" || fields[i][0] == ':' {
			return nil, fmt.Errorf("field %q among regular ones", fields[i])
		}
		h.Add(fields[i], fields[i+1])
	}
	return h, nil
}

// Read reads what DATA frames carry, to the end of the stream. Trailers are in Trailer then.
func (r *RequestStream) Read(p []byte) (int, error) {
	for r.left == 0 {
		typ, length, err := r.frame()
		if err != nil {
			return 0, err
		}
		if r.trailer != nil {
			return 0, fmt.Errorf("frame %#x behind the trailers", typ)
		}
		if typ == FrameHeaders {
			fields, err := r.section(length)
			if err != nil {
				return 0, err
			}
			if r.trailer, err = headerOf(fields); err != nil {
				return 0, err
			}
			continue
		}
		r.left = length
	}
	n, err := r.Stream.Read(p[:min(uint64(len(p)), r.left)])
	r.left -= uint64(n)
	if err == io.EOF {
		switch {
		case r.left > 0:
			err = io.ErrUnexpectedEOF
		case n > 0:
			err = nil // once more, between two frames
		}
	}
	return n, err
}

// Trailer are the trailers, nil until they were read.
func (r *RequestStream) Trailer() http.Header { return r.trailer }
