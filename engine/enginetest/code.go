package enginetest

import (
	"fmt"

	"github.com/quic-go/quic-go"
)

// Codes of draft-ietf-webtrans-http3.
const (
	CodeSessionGone            quic.StreamErrorCode      = 0x170d7b68
	CodeBufferedStreamRejected quic.StreamErrorCode      = 0x3994bd84
	CodeFlowControl            quic.StreamErrorCode      = 0x045d4487
	CodeRequirementsNotMet     quic.ApplicationErrorCode = 0x212c0d48
)

// The codes of HTTP/3 that stand for an application's, with one in 31 left out.
const (
	firstAppCode = 0x52e4a40fa8db
	lastAppCode  = 0x52e5ac983162
)

// StreamCode is the code on the wire of an application's.
func StreamCode(code uint32) quic.StreamErrorCode {
	return quic.StreamErrorCode(firstAppCode + uint64(code) + uint64(code)/0x1e)
}

// AppCode is the other way; false: it stands for none.
func AppCode(code quic.StreamErrorCode) (uint32, bool) {
	if code < firstAppCode || code > lastAppCode || (code-0x21)%0x1f == 0 {
		return 0, false
	}
	n := uint64(code - firstAppCode)
	return uint32(n - n/0x1f), true
}

// A StreamError is a reset or a stop of a session's stream, with an application's code.
type StreamError struct {
	Code   uint32
	Remote bool
}

func (e *StreamError) Error() string {
	return fmt.Sprintf("stream ended with code %d, remote %v", e.Code, e.Remote)
}

// A SessionError is the end of a session that was closed: with a capsule, or by the end of its CONNECT stream.
type SessionError struct {
	Code   uint32
	Reason string
	Remote bool
}

func (e *SessionError) Error() string {
	return fmt.Sprintf("session closed with code %d, %q, remote %v", e.Code, e.Reason, e.Remote)
}
