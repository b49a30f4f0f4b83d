package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/wire"
)

// Types of unidirectional streams (RFC 9114, 6.2; RFC 9204, 4.2).
const (
	streamControl      = 0x0
	streamPush         = 0x1
	streamQPACKEncoder = 0x2
	streamQPACKDecoder = 0x3
)

// Settings (RFC 9114, 7.2.4.1; RFC 9220, 3; RFC 9297, 2.1.1).
const (
	settingMaxFieldSectionSize = 0x6
	settingConnectProtocol     = 0x8
	settingDatagram            = 0x33
)

// Codes of RFC 9204, 6 that http3 does not name.
const (
	errEncoderStream http3.ErrCode = 0x201
	errDecoderStream http3.ErrCode = 0x202
)

const (
	// maxUniStreams is how many unidirectional streams a peer may have open: three have a meaning, the rest is for extensions.
	maxUniStreams = 16
	// maxSettings is the longest SETTINGS frame that is read.
	maxSettings = 8 << 10
)

// settingsFrame makes what opens our control stream. No table for QPACK is offered: the engine's answers gain nothing from one, and
// a peer's instructions would have to be waited for.
func settingsFrame(maxHeaderBytes int) []byte {
	payload := quicvarint.Append(nil, settingMaxFieldSectionSize)
	payload = quicvarint.Append(payload, uint64(maxHeaderBytes))
	out := wire.AppendFrameHead([]byte{streamControl}, wire.FrameSettings, uint64(len(payload)))
	return append(out, payload...)
}

// uniStreams are the peer's streams of which there may be one of each.
type uniStreams struct {
	mu   sync.Mutex
	open [4]bool
}

// claim reports whether the peer had no stream of this type yet.
func (u *uniStreams) claim(typ uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	had := u.open[typ]
	u.open[typ] = true
	return !had
}

// acceptUni takes the peer's unidirectional streams, as long as the peer takes ours: our control stream is as critical as its own
// (RFC 9114, 6.2.1).
func (c *conn) acceptUni(control *quic.SendStream) {
	open := control.Context()
	for {
		s, err := c.q.AcceptUniStream(open)
		if err != nil {
			var stopped *quic.StreamError
			if errors.As(context.Cause(open), &stopped) && stopped.Remote {
				c.breach(http3.ErrCodeClosedCriticalStream, "our control stream was stopped")
			}
			return
		}
		c.spawn("uni stream", func() {
			if err := c.serveUni(s); err != nil {
				c.breach(err.Code, err.Reason)
			}
		})
	}
}

// serveUni reads one unidirectional stream to its end. It returns what the connection is to be closed for.
func (c *conn) serveUni(s *quic.ReceiveStream) *wire.ConnectionError {
	in := bufio.NewReaderSize(s, 256)
	typ, err := quicvarint.Read(in)
	if err != nil {
		return nil // ended before it said what it is: RFC 9114, 6.2 wants that tolerated
	}
	switch typ {
	case streamPush:
		return &wire.ConnectionError{Code: http3.ErrCodeStreamCreationError, Reason: "push stream from a client"}
	case streamControl, streamQPACKEncoder, streamQPACKDecoder:
	default:
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
		return nil
	}
	if !c.uni.claim(typ) {
		return &wire.ConnectionError{Code: http3.ErrCodeStreamCreationError, Reason: "second stream of type 0x" + hex(typ)}
	}
	switch typ {
	case streamControl:
		control := controlReader{c: c, in: in}
		err = control.run()
	case streamQPACKEncoder:
		err = readEncoderStream(in)
	default:
		err = readDecoderStream(in)
	}
	var (
		breach *wire.ConnectionError
		reset  *quic.StreamError
	)
	switch {
	case errors.As(err, &breach):
		return breach
	case err == io.EOF, err == io.ErrUnexpectedEOF, errors.As(err, &reset) && reset.Remote:
		return &wire.ConnectionError{Code: http3.ErrCodeClosedCriticalStream, Reason: "stream of type 0x" + hex(typ) + " was closed"}
	}
	return nil // the connection has gone
}

// A controlReader reads the peer's control stream.
type controlReader struct {
	c         *conn
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
		case typ == wire.FrameMaxPushID:
			err = r.pushLimit(length)
		case typ == wire.FrameGoAway:
			err = r.goneAway(length)
		case typ == wire.FrameCancelPush:
			if _, err = r.id(length); err == nil {
				err = &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "CANCEL_PUSH for a push that was never promised"}
			}
		case typ == wire.FrameSettings, typ == wire.FrameData, typ == wire.FrameHeaders, knownFrame(typ):
			err = errUnexpectedFrame(typ, "on the control stream")
		default:
			_, err = io.CopyN(io.Discard, r.in, int64(length))
		}
		if err != nil {
			return err
		}
	}
}

func (r *controlReader) settings(length uint64) error {
	if length > maxSettings {
		return &wire.ConnectionError{Code: http3.ErrCodeExcessiveLoad, Reason: "SETTINGS is too long"}
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return err
	}
	seen := make(map[uint64]bool)
	datagrams := false
	for len(payload) > 0 {
		id, n, err := quicvarint.Parse(payload)
		if err != nil {
			return &wire.ConnectionError{Code: http3.ErrCodeFrameError, Reason: "SETTINGS ends inside a setting"}
		}
		value, m, err := quicvarint.Parse(payload[n:])
		if err != nil {
			return &wire.ConnectionError{Code: http3.ErrCodeFrameError, Reason: "SETTINGS ends inside a setting"}
		}
		payload = payload[n+m:]
		if seen[id] {
			return &wire.ConnectionError{Code: http3.ErrCodeSettingsError, Reason: "setting 0x" + hex(id) + " given twice"}
		}
		seen[id] = true
		switch id {
		case 0x0, 0x2, 0x3, 0x4, 0x5:
			return &wire.ConnectionError{Code: http3.ErrCodeSettingsError, Reason: "setting 0x" + hex(id) + " is reserved"}
		case settingConnectProtocol, settingDatagram:
			if value > 1 {
				return &wire.ConnectionError{Code: http3.ErrCodeSettingsError, Reason: "setting 0x" + hex(id) + " is neither 0 nor 1"}
			}
			datagrams = datagrams || id == settingDatagram && value == 1
			if id == settingDatagram && value == 1 && !r.c.q.ConnectionState().SupportsDatagrams.Remote {
				return &wire.ConnectionError{Code: http3.ErrCodeSettingsError, Reason: "SETTINGS_H3_DATAGRAM without the transport parameter"}
			}
		}
	}
	r.c.settled(datagrams)
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

func (r *controlReader) goneAway(length uint64) error {
	id, err := r.id(length)
	if err != nil {
		return err
	}
	if r.wentAway && id > r.goAway {
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "the id of GOAWAY went up"}
	}
	r.goAway, r.wentAway = id, true
	return nil
}

// readEncoderStream takes the peer's QPACK encoder at its word: with no table offered it has nothing to say but that the table's
// capacity is 0.
func readEncoderStream(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0x20 {
			return &wire.ConnectionError{Code: errEncoderStream, Reason: "instruction for a dynamic table that was never allowed"}
		}
	}
}

// readDecoderStream accepts the cancellation of streams. Everything else would acknowledge entries that we never made.
func readDecoderStream(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b>>6 != 1 {
			return &wire.ConnectionError{Code: errDecoderStream, Reason: "acknowledgement of entries that were never made"}
		}
		if b&0x3f != 0x3f {
			continue
		}
		for n := 0; ; n++ { // the rest of the stream's id
			if b, err = in.ReadByte(); err != nil {
				return err
			}
			if b&0x80 == 0 {
				break
			}
			if n == 8 {
				return &wire.ConnectionError{Code: errDecoderStream, Reason: "the id of a cancelled stream is too long"}
			}
		}
	}
}
