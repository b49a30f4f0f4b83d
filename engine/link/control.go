package link

import (
	"bufio"
	"errors"
	"io"
	"net"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

const (
	// maxSettings is the longest SETTINGS frame that is read.
	maxSettings = 8 << 10
	// maxPriorityUpdate is the longest PRIORITY_UPDATE that is read.
	maxPriorityUpdate = 1 << 10
)

// OpenControl is what our control stream begins with: its type and SETTINGS. No table for QPACK is among them: what we send gains nothing
// from one, and a peer's instructions would have to be waited for.
func OpenControl(settings []wire.Setting) []byte {
	payload := wire.AppendSettings(nil, settings)
	return append(wire.AppendFrameHead([]byte{streamControl}, wire.FrameSettings, uint64(len(payload))), payload...)
}

// SendControl sends a frame on our control stream, all of it or nothing. It does not wait: quic.ErrWouldBlock says that the peer has no room.
func (c *Conn) SendControl(frame []byte) error {
	c.controlling.Lock()
	defer c.controlling.Unlock()
	c.mu.Lock()
	control := c.control
	c.mu.Unlock()
	if control == nil {
		return quic.ErrWouldBlock // the connection is not announced yet
	}
	return control.TryWriteAll(frame)
}

// Unsent logs that a frame did not go out on our control stream, unless the connection has ended: its end says enough, and whoever closes it need
// not wait for what we have to say.
func (c *Conn) Unsent(frame string, err error) {
	if !errors.Is(err, net.ErrClosed) {
		c.Log(sink.LogDebug, frame+" was not sent: "+err.Error())
	}
}

// A controlReader reads the peer's control stream.
type controlReader struct {
	c         *Conn
	in        *bufio.Reader
	maxPushID uint64
	hasMax    bool
	goAway    uint64
	wentAway  bool
}

func (r *controlReader) run() error {
	for first := true; ; first = false {
		typ, err := quicvarint.Read(r.in)
		if err != nil {
			return err
		}
		length, err := quicvarint.Read(r.in)
		if err != nil {
			return err
		}
		switch {
		case first && typ != wire.FrameSettings:
			return &wire.ConnectionError{Code: http3.ErrCodeMissingSettings, Reason: "the control stream does not begin with SETTINGS"}
		case first:
			err = r.settings(length)
		case typ == wire.FrameMaxPushID && r.c.Role == Server:
			err = r.pushLimit(length)
		case typ == wire.FrameGoAway:
			err = r.goneAway(length)
		case typ == wire.FrameCancelPush:
			if _, err = r.id(length); err == nil {
				err = &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "CANCEL_PUSH for a push that was never promised"}
			}
		case typ == wire.FramePriorityUpdateRequest || typ == wire.FramePriorityUpdatePush:
			err = r.priorityUpdate(typ, length)
		case typ == wire.StreamTypeBidi:
			err = wire.ErrLateStreamHeader
		case typ == wire.FrameData, typ == wire.FrameHeaders, wire.KnownFrame(typ):
			err = wire.UnexpectedFrame(typ, "on the control stream")
		default:
			_, err = io.CopyN(io.Discard, r.in, int64(length))
		}
		if err != nil {
			return err
		}
	}
}

// payload reads a frame that has at most limit bytes.
func (r *controlReader) payload(length, limit uint64, what string) ([]byte, error) {
	if length > limit {
		return nil, &wire.ConnectionError{Code: http3.ErrCodeExcessiveLoad, Reason: what + " is too long"}
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(r.in, payload)
	return payload, err
}

func (r *controlReader) settings(length uint64) error {
	payload, err := r.payload(length, maxSettings, "SETTINGS")
	if err != nil {
		return err
	}
	settings, err := wire.ParseSettings(payload)
	if err != nil {
		return err
	}
	if settings.Datagram() && !r.c.QUIC.ConnectionState().SupportsDatagrams.Remote {
		return &wire.ConnectionError{Code: http3.ErrCodeSettingsError, Reason: "SETTINGS_H3_DATAGRAM without the transport parameter"}
	}
	r.c.peer.Store(&settings)
	if breach := r.c.carried.Settled(&settings); breach != nil {
		return breach
	}
	return nil
}

// id reads a frame whose payload is one number.
func (r *controlReader) id(length uint64) (uint64, error) {
	if length == 0 || length > 8 {
		return 0, &wire.ConnectionError{Code: http3.ErrCodeFrameError, Reason: "a frame of this length holds no id"}
	}
	var payload [8]byte
	if _, err := io.ReadFull(r.in, payload[:length]); err != nil {
		return 0, err
	}
	id, n, err := quicvarint.Parse(payload[:length])
	if err != nil || uint64(n) != length {
		return 0, &wire.ConnectionError{Code: http3.ErrCodeFrameError, Reason: "the id does not fill its frame"}
	}
	return id, nil
}

func (r *controlReader) pushLimit(length uint64) error {
	id, err := r.id(length)
	if err != nil {
		return err
	}
	if r.hasMax && id < r.maxPushID {
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "MAX_PUSH_ID went down"}
	}
	r.maxPushID, r.hasMax = id, true
	return nil
}

// priorityUpdate takes a PRIORITY_UPDATE (RFC 9218, 7). Only clients send them, and there are no pushes that one could be about.
func (r *controlReader) priorityUpdate(typ, length uint64) error {
	payload, err := r.payload(length, maxPriorityUpdate, "PRIORITY_UPDATE")
	if err != nil {
		return err
	}
	update, err := wire.ParsePriorityUpdate(typ, payload)
	switch {
	case r.c.Role == Client:
		return wire.UnexpectedFrame(typ, "from a server")
	case err != nil:
		return err
	case typ == wire.FramePriorityUpdatePush:
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "PRIORITY_UPDATE for a push that was never promised"}
	}
	if breach := r.c.carried.Prioritize(update); breach != nil {
		return breach
	}
	return nil
}
