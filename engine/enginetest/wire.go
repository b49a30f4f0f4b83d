package enginetest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"
)

// Frame types of RFC 9114, 7.2, and RFC 9218, 7.2.
const (
	FrameData                  = 0x0
	FrameHeaders               = 0x1
	FrameCancelPush            = 0x3
	FrameSettings              = 0x4
	FramePushPromise           = 0x5
	FrameGoAway                = 0x7
	FrameMaxPushID             = 0xd
	FramePriorityUpdateRequest = 0xf0700
	FramePriorityUpdatePush    = 0xf0701
)

// Types of unidirectional streams (RFC 9114, 6.2; RFC 9204, 4.2), and with which streams of sessions begin.
const (
	StreamControl    = 0x0
	StreamPush       = 0x1
	StreamEncoder    = 0x2
	StreamDecoder    = 0x3
	StreamSessionUni = 0x54
	FrameSessionBidi = 0x41
)

// Grease is a type that is reserved for nothing: of frames, streams, settings and capsules (RFC 9114, 7.2.8).
const Grease = 0x1f*7 + 0x21

// Varints puts parts together: []byte and string as they are, numbers as variable-length integers.
func Varints(parts ...any) []byte {
	var p []byte
	for _, part := range parts {
		switch v := part.(type) {
		case []byte:
			p = append(p, v...)
		case string:
			p = append(p, v...)
		case int:
			p = quicvarint.Append(p, uint64(v))
		case uint64:
			p = quicvarint.Append(p, v)
		default:
			panic(fmt.Sprintf("Varints knows nothing of %T", part))
		}
	}
	return p
}

// Frame makes a frame of a type and the parts of its payload, as Varints takes them.
func Frame(typ uint64, parts ...any) []byte {
	payload := Varints(parts...)
	return append(FrameHead(typ, uint64(len(payload))), payload...)
}

// FrameHead makes the head of a frame, whatever comes behind it.
func FrameHead(typ, length uint64) []byte {
	return quicvarint.Append(quicvarint.Append(nil, typ), length)
}

// SpelledOut is the same frame with its type and length in eight bytes each: shorter ones would do (RFC 9000, 16).
func SpelledOut(frame []byte) []byte {
	typ, n, _ := quicvarint.Parse(frame)
	length, m, _ := quicvarint.Parse(frame[n:])
	return append(quicvarint.AppendWithLen(quicvarint.AppendWithLen(nil, typ, 8), length, 8), frame[n+m:]...)
}

// Join puts byte strings together.
func Join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Section encodes fields: name, value, name, value.
func Section(fields ...string) []byte {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	if b.Len() == 0 {
		return []byte{0, 0}
	}
	return b.Bytes()
}

// Fields decodes a field section: name, value, name, value.
func Fields(section []byte) ([]string, error) {
	var fields []string
	next := qpack.NewDecoder().Decode(section)
	for {
		field, err := next()
		if err == io.EOF {
			return fields, nil
		}
		if err != nil {
			return fields, fmt.Errorf("field section %x: %w", section, err)
		}
		fields = append(fields, field.Name, field.Value)
	}
}

// Headers makes a HEADERS frame of fields.
func Headers(fields ...string) []byte { return Frame(FrameHeaders, Section(fields...)) }

// Request makes the HEADERS frame of a request to localhost.
func Request(method, path string, fields ...string) []byte {
	return Headers(append([]string{":method", method, ":scheme", "https", ":authority", "localhost", ":path", path}, fields...)...)
}
