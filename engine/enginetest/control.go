package enginetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// largestControlFrame bounds what is read of one.
const largestControlFrame = 1 << 16

// readControl reads the server's control stream to the end of the connection.
func (c *Client) readControl(s *quic.ReceiveStream) {
	r := bufio.NewReader(s)
	for first := true; ; first = false {
		typ, payload, err := readFrame(r, largestControlFrame)
		if err != nil {
			if c.Conn.Context().Err() == nil && !isShutdown(err) {
				c.t.Errorf("the server's control stream: %v", err)
			}
			return
		}
		switch {
		case first && typ != FrameSettings:
			c.t.Errorf("the server's control stream begins with frame %#x", typ)
		case first:
			c.settings, err = parseSettings(payload)
			if err != nil {
				c.t.Error(err)
			}
			close(c.settled)
		case typ == FrameGoAway:
			id, n, err := quicvarint.Parse(payload)
			if err != nil || n != len(payload) || id%4 != 0 {
				c.t.Errorf("GOAWAY %x", payload)
				continue
			}
			c.tookGoAway(id)
		case typ == FrameSettings || typ == FrameData || typ == FrameHeaders || typ == FramePushPromise || typ == FrameMaxPushID:
			c.t.Errorf("frame %#x on the server's control stream", typ)
		}
	}
}

// isShutdown reports whether an error is the end of a whole connection.
func isShutdown(err error) bool {
	var app *quic.ApplicationError
	var transport *quic.TransportError
	var idle *quic.IdleTimeoutError
	var reset *quic.StatelessResetError
	return errors.As(err, &app) || errors.As(err, &transport) || errors.As(err, &idle) || errors.As(err, &reset)
}

// readFrame reads a frame. io.EOF is the end between two.
func readFrame(r *bufio.Reader, largest uint64) (typ uint64, payload []byte, err error) {
	if _, err := r.Peek(1); err != nil {
		return 0, nil, err
	}
	if typ, err = quicvarint.Read(r); err != nil {
		return 0, nil, cut(err)
	}
	length, err := quicvarint.Read(r)
	if err != nil {
		return 0, nil, cut(err)
	}
	if length > largest {
		return 0, nil, fmt.Errorf("frame %#x of %d bytes", typ, length)
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(r, payload)
	return typ, payload, cut(err)
}

func parseSettings(p []byte) (map[uint64]uint64, error) {
	settings := map[uint64]uint64{}
	for len(p) > 0 {
		id, n, err := quicvarint.Parse(p)
		if err != nil {
			return settings, fmt.Errorf("SETTINGS are cut: %w", err)
		}
		value, m, err := quicvarint.Parse(p[n:])
		if err != nil {
			return settings, fmt.Errorf("SETTINGS are cut: %w", err)
		}
		if _, twice := settings[id]; twice {
			return settings, fmt.Errorf("setting %#x comes twice", id)
		}
		settings[id] = value
		p = p[n+m:]
	}
	return settings, nil
}

// Settings waits for the server's SETTINGS.
func (c *Client) Settings() map[uint64]uint64 {
	c.t.Helper()
	await(c.t, "the server's SETTINGS", c.settled)
	return maps.Clone(c.settings)
}

func (c *Client) tookGoAway(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.goAways); n > 0 && id > c.goAways[n-1] {
		c.t.Errorf("GOAWAY %d behind GOAWAY %d", id, c.goAways[n-1])
	}
	c.goAways = append(c.goAways, id)
	close(c.wentAway)
	c.wentAway = make(chan struct{})
}

// GoAway waits for the server's next GOAWAY and gives its id.
func (c *Client) GoAway() uint64 {
	c.t.Helper()
	timeout := time.After(Patience)
	for {
		c.mu.Lock()
		if c.goneBy < len(c.goAways) {
			c.goneBy++
			id := c.goAways[c.goneBy-1]
			c.mu.Unlock()
			return id
		}
		more := c.wentAway
		c.mu.Unlock()
		select {
		case <-more:
		case <-c.Conn.Context().Done():
			c.t.Fatal("the connection ends without a GOAWAY")
		case <-timeout:
			c.t.Fatal("GOAWAY did not come")
		}
	}
}

// SendControl sends bytes on the control stream.
func (c *Client) SendControl(parts ...[]byte) {
	c.t.Helper()
	if _, err := c.control.Write(Join(parts...)); err != nil {
		c.t.Fatalf("the control stream: %v", err)
	}
}

// SendGoAway tells the server up to which push the client has taken.
func (c *Client) SendGoAway(push uint64) {
	c.t.Helper()
	c.SendControl(Frame(FrameGoAway, push))
}

// SendPriorityUpdate sends the priority of a request, as the field priority has it.
func (c *Client) SendPriorityUpdate(stream uint64, priority string) {
	c.t.Helper()
	c.SendControl(Frame(FramePriorityUpdateRequest, stream, priority))
}
