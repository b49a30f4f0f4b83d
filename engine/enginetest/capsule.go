package enginetest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/quic-go/quic-go/quicvarint"
)

// Types of capsules (RFC 9297, 3.5; draft-ietf-webtrans-http3).
const (
	CapsuleDatagram           = 0x0
	CapsuleCloseSession       = 0x2843
	CapsuleDrainSession       = 0x78ae
	CapsuleMaxData            = 0x190b4d3d
	CapsuleMaxStreamData      = 0x190b4d3e // of HTTP/2 alone
	CapsuleMaxStreamsBidi     = 0x190b4d3f
	CapsuleMaxStreamsUni      = 0x190b4d40
	CapsuleDataBlocked        = 0x190b4d41
	CapsuleStreamDataBlocked  = 0x190b4d42 // of HTTP/2 alone
	CapsuleStreamsBlockedBidi = 0x190b4d43
	CapsuleStreamsBlockedUni  = 0x190b4d44
)

// largestCapsule bounds what is read of one: nothing that a server has to say in a session is longer.
const largestCapsule = 1 << 20

// A Capsule is one as it came.
type Capsule struct {
	Type  uint64
	Value []byte
}

// Number is a value that is one variable-length integer and nothing else.
func (c Capsule) Number() (uint64, error) {
	n, size, err := quicvarint.Parse(c.Value)
	if err == nil && size != len(c.Value) {
		err = fmt.Errorf("%d bytes too many", len(c.Value)-size)
	}
	if err != nil {
		return 0, fmt.Errorf("capsule %#x: %w", c.Type, err)
	}
	return n, nil
}

// CapsuleBytes makes a capsule of the parts of its value, as Varints takes them.
func CapsuleBytes(typ uint64, parts ...any) []byte { return Frame(typ, parts...) }

// CloseCapsule makes the capsule that closes a session.
func CloseCapsule(code uint32, reason string) []byte {
	return CapsuleBytes(CapsuleCloseSession, binary.BigEndian.AppendUint32(nil, code), reason)
}

// closeOf reads one.
func (c Capsule) closeOf() (*SessionError, error) {
	if len(c.Value) < 4 {
		return nil, fmt.Errorf("a close capsule of %d bytes", len(c.Value))
	}
	return &SessionError{Code: binary.BigEndian.Uint32(c.Value), Reason: string(c.Value[4:]), Remote: true}, nil
}

// readCapsule reads the next one; io.EOF is the end between two.
func readCapsule(r *bufio.Reader) (Capsule, error) {
	if _, err := r.Peek(1); err != nil {
		return Capsule{}, err
	}
	typ, err := quicvarint.Read(r)
	if err != nil {
		return Capsule{}, cut(err)
	}
	length, err := quicvarint.Read(r)
	if err != nil {
		return Capsule{}, cut(err)
	}
	if length > largestCapsule {
		return Capsule{}, fmt.Errorf("a capsule %#x of %d bytes", typ, length)
	}
	c := Capsule{Type: typ, Value: make([]byte, length)}
	_, err = io.ReadFull(r, c.Value)
	return c, cut(err)
}

// cut makes an end inside of something an error.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
