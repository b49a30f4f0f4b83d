package enginetest

import (
	"context"
	"sync"

	"github.com/quic-go/quic-go/quicvarint"
)

// flowRoom bounds the datagrams that wait for the test on one flow; the oldest go.
const flowRoom = 1 << 14

// A flow is what came for one request, or raw.
type flow struct {
	mu    sync.Mutex
	queue [][]byte
	more  chan struct{}
}

func newFlow() *flow { return &flow{more: make(chan struct{}, 1)} }

func (f *flow) add(p []byte) {
	f.mu.Lock()
	if f.queue = append(f.queue, p); len(f.queue) > flowRoom {
		f.queue = f.queue[1:]
	}
	f.mu.Unlock()
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// next waits for one. gone is the end of what it belongs to; what came before that is still given.
func (f *flow) next(ctx, gone context.Context) ([]byte, error) {
	for {
		f.mu.Lock()
		if len(f.queue) > 0 {
			p := f.queue[0]
			f.queue = f.queue[1:]
			if len(f.queue) > 0 {
				select {
				case f.more <- struct{}{}:
				default:
				}
			}
			f.mu.Unlock()
			return p, nil
		}
		f.mu.Unlock()
		select {
		case <-f.more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-gone.Done():
			return nil, context.Cause(gone)
		}
	}
}

// receiveDatagrams brings each datagram to its request, by the quarter of its stream's id; all of them are raw where SETTINGS do not
// announce them.
func (c *Client) receiveDatagrams() {
	for {
		p, err := c.Conn.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		if !c.announcesDatagrams() {
			c.raw.add(p)
			continue
		}
		quarter, n, err := quicvarint.Parse(p)
		if err != nil {
			c.t.Errorf("a datagram %x without a flow", p)
			continue
		}
		c.mu.Lock()
		f := c.flows[4*quarter]
		if f == nil {
			c.stray++
		}
		c.mu.Unlock()
		if f != nil {
			f.add(p[n:])
		}
	}
}

func (c *Client) announcesDatagrams() bool {
	for _, s := range c.o.settings() {
		if s.ID == SettingDatagram {
			return s.Value == 1
		}
	}
	return false
}

// StrayDatagrams is how many came for no request of the client's.
func (c *Client) StrayDatagrams() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stray
}

// flowOf is the flow of a stream, from now on.
func (c *Client) flowOf(stream uint64) *flow {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := newFlow()
	c.flows[stream] = f
	return f
}

// SendRawDatagram sends one as it is.
func (c *Client) SendRawDatagram(p []byte) error { return c.Conn.SendDatagram(p) }

// ReceiveRawDatagram waits for one on a connection that does not announce HTTP's.
func (c *Client) ReceiveRawDatagram(ctx context.Context) ([]byte, error) {
	return c.raw.next(ctx, c.Conn.Context())
}

// SendDatagramTo sends one for the request of a stream, whether there is one or not.
func (c *Client) SendDatagramTo(stream uint64, p []byte) error {
	return c.Conn.SendDatagram(append(quicvarint.Append(nil, stream/4), p...))
}
