package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// A Client is a connection to a server. Its methods that wait fail the test when the wait is too long, so they are for the test's
// goroutine; those that return errors are for any. It ends with the test, or by Close.
type Client struct {
	Conn *quic.Conn
	// Authority is what requests name.
	Authority string

	t        testing.TB
	o        Options
	control  *quic.SendStream
	running  sync.WaitGroup
	settled  chan struct{}     // closed once settings is there
	settings map[uint64]uint64 // of the server

	mu       sync.Mutex
	goAways  []uint64
	goneBy   int           // how many of them GoAway has given
	wentAway chan struct{} // closed and made anew with each GOAWAY
	sessions map[uint64]*Session
	flows    map[uint64]*flow // by stream
	raw      *flow
	stray    uint64 // datagrams for no flow
}

// Dial connects, and opens the control stream.
func Dial(t testing.TB, addr string, o Options) *Client {
	t.Helper()
	ctx, cancel := patient()
	defer cancel()
	c, err := connect(ctx, t, addr, o)
	if err != nil {
		t.Fatalf("connecting to %s: %v", addr, err)
	}
	t.Cleanup(c.Close)
	return c
}

func connect(ctx context.Context, t testing.TB, addr string, o Options) (*Client, error) {
	q, err := quic.DialAddr(ctx, addr, o.tls(), o.quic())
	if err != nil {
		return nil, err
	}
	c, err := newClient(ctx, t, q, o)
	if err != nil {
		_ = q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeInternalError), "")
	}
	return c, err
}

// New makes a client of a connection that the test has made; what o says of QUIC and TLS is not looked at.
func New(t testing.TB, q *quic.Conn, o Options) *Client {
	t.Helper()
	ctx, cancel := patient()
	defer cancel()
	c, err := newClient(ctx, t, q, o)
	if err != nil {
		t.Fatalf("opening the streams beside requests: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

func newClient(ctx context.Context, t testing.TB, q *quic.Conn, o Options) (*Client, error) {
	c := &Client{Conn: q, Authority: q.RemoteAddr().String(), t: t, o: o, settled: make(chan struct{}), wentAway: make(chan struct{}),
		sessions: map[uint64]*Session{}, flows: map[uint64]*flow{}, raw: newFlow()}
	if !o.NoControl {
		var err error
		if c.control, err = q.OpenUniStreamSync(ctx); err != nil {
			return nil, fmt.Errorf("the control stream: %w", err)
		}
		var settings []byte
		for _, s := range o.settings() {
			settings = append(settings, Varints(s.ID, s.Value)...)
		}
		if _, err = c.control.Write(Join(Varints(StreamControl), Frame(FrameSettings, settings))); err != nil {
			return nil, fmt.Errorf("SETTINGS: %w", err)
		}
	}
	if o.QPACKStreams {
		for _, typ := range []int{StreamEncoder, StreamDecoder} {
			s, err := q.OpenUniStreamSync(ctx)
			if err != nil {
				return nil, fmt.Errorf("a QPACK stream: %w", err)
			}
			if _, err := s.Write(Varints(typ)); err != nil {
				return nil, fmt.Errorf("a QPACK stream: %w", err)
			}
		}
	}
	if !o.Unread {
		c.running.Go(c.acceptUniStreams)
		c.running.Go(c.acceptStreams)
		if o.datagrams() || o.RawDatagrams {
			c.running.Go(c.receiveDatagrams)
		}
	}
	return c, nil
}

// Close ends the connection, with H3_NO_ERROR, and all that runs for it. It is no error to do so again.
func (c *Client) Close() { c.CloseWithError(uint64(http3.ErrCodeNoError), "") }

// CloseWithError ends the connection with a code and a reason.
func (c *Client) CloseWithError(code uint64, reason string) {
	_ = c.Conn.CloseWithError(quic.ApplicationErrorCode(code), reason) // documented to return nil
	c.running.Wait()
}

// Control is the control stream; nil if there is none.
func (c *Client) Control() *quic.SendStream { return c.control }

// Uni opens a unidirectional stream that begins with p.
func (c *Client) Uni(p []byte) *quic.SendStream {
	c.t.Helper()
	s, err := c.Conn.OpenUniStream()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := s.Write(p); err != nil && c.Conn.Context().Err() == nil {
		c.t.Fatal(err)
	}
	return s
}

// Open opens a bidirectional stream that begins with p; end closes it behind. Reads from it are bounded.
func (c *Client) Open(p []byte, end bool) *quic.Stream {
	c.t.Helper()
	ctx, cancel := patient()
	defer cancel()
	s, err := c.Conn.OpenStreamSync(ctx)
	if err != nil {
		c.t.Fatalf("opening a stream: %v", err)
	}
	_ = s.SetReadDeadline(time.Now().Add(Patience)) // fails for no stream
	_, _ = s.Write(p)                               // like Close, it fails where the server has seen enough already and stopped the stream
	if end {
		_ = s.Close()
	}
	return s
}

// acceptUniStreams takes what the server opens, each on a goroutine of its own.
func (c *Client) acceptUniStreams() {
	control := make(chan struct{}, 1) // one place
	for {
		s, err := c.Conn.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		c.running.Go(func() {
			r := quicvarint.NewReader(s)
			typ, err := quicvarint.Read(r)
			if err != nil {
				return // reset before its type was known, or the end of all
			}
			switch typ {
			case StreamControl:
				select {
				case control <- struct{}{}:
					c.readControl(s)
				default:
					c.t.Error("the server has opened a second control stream")
				}
			case StreamEncoder, StreamDecoder:
				_, _ = io.Copy(io.Discard, s) // without a dynamic table there is nothing to say
			case StreamSessionUni:
				c.takeStream(r, &Stream{receive: s})
			default:
				s.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
			}
		})
	}
}

func (c *Client) acceptStreams() {
	for {
		s, err := c.Conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		c.running.Go(func() {
			r := quicvarint.NewReader(s)
			typ, err := quicvarint.Read(r)
			if err != nil {
				s.CancelWrite(CodeSessionGone) // reset before its type was known: QUIC has room for another once both sides have ended
				return
			}
			if typ != FrameSessionBidi {
				c.t.Errorf("the server has opened a bidirectional stream that begins with %#x", typ)
				return
			}
			c.takeStream(r, &Stream{receive: s, send: s})
		})
	}
}

// takeStream reads of which session a stream is, and gives it to that.
func (c *Client) takeStream(r quicvarint.Reader, s *Stream) {
	id, err := quicvarint.Read(r)
	if err != nil {
		var reset *quic.StreamError
		if !errors.As(err, &reset) && c.Conn.Context().Err() == nil {
			c.t.Errorf("a stream of a session ends inside its header: %v", err)
		}
		return
	}
	c.mu.Lock()
	session := c.sessions[id]
	c.mu.Unlock()
	if session == nil {
		s.cancel(CodeBufferedStreamRejected)
		return
	}
	session.take(s, quicvarint.Len(id))
}
