package wire

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/quic-go/quic-go/quicvarint"
)

// Types of capsules on a session's CONNECT stream (draft-ietf-webtrans-http3).
const (
	CapsuleClose              uint64 = 0x2843
	CapsuleDrain              uint64 = 0x78ae
	CapsuleMaxData            uint64 = 0x190b4d3d
	CapsuleMaxStreamsBidi     uint64 = 0x190b4d3f
	CapsuleMaxStreamsUni      uint64 = 0x190b4d40
	CapsuleDataBlocked        uint64 = 0x190b4d41
	CapsuleStreamsBlockedBidi uint64 = 0x190b4d43
	CapsuleStreamsBlockedUni  uint64 = 0x190b4d44

	// WT_MAX_STREAM_DATA and WT_STREAM_DATA_BLOCKED are for WebTransport over HTTP/2 only.
	capsuleMaxStreamData     uint64 = 0x190b4d3e
	capsuleStreamDataBlocked uint64 = 0x190b4d42
)

const (
	closeCodeLen = 4 // bytes of the code in a CLOSE capsule
	// MaxCloseReason is how many bytes the reason in a CLOSE capsule can have.
	MaxCloseReason = 1024
	// MaxStreams is the largest limit of streams that there is: a stream's id takes two bits of what an integer can hold.
	MaxStreams = 1 << 60
)

// AppendCapsule appends a capsule (RFC 9297, 3.2). It does not put it into a DATA frame.
func AppendCapsule(dst []byte, typ uint64, payload []byte) []byte {
	dst = quicvarint.Append(dst, typ)
	dst = quicvarint.Append(dst, uint64(len(payload)))
	return append(dst, payload...)
}

// AppendCapsuleVarint appends a capsule of flow control. A value beyond what the encoding holds becomes the largest that it does.
func AppendCapsuleVarint(dst []byte, typ, value uint64) []byte {
	value = min(value, quicvarint.Max)
	dst = quicvarint.Append(dst, typ)
	dst = quicvarint.Append(dst, uint64(quicvarint.Len(value)))
	return quicvarint.Append(dst, value)
}

// AppendClose appends a CLOSE capsule. Of a reason that is too long it takes what fits, up to a whole character; what is no UTF-8 in it
// becomes U+FFFD, since a peer refuses such a capsule.
func AppendClose(dst []byte, code uint32, reason string) []byte {
	reason = CloseReason(reason)
	dst = quicvarint.Append(dst, CapsuleClose)
	dst = quicvarint.Append(dst, uint64(closeCodeLen+len(reason)))
	dst = binary.BigEndian.AppendUint32(dst, code)
	return append(dst, reason...)
}

// CloseReason is what of a reason a CLOSE capsule says.
func CloseReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= MaxCloseReason {
		return reason
	}
	n := MaxCloseReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}
