package wire

import "github.com/quic-go/quic-go/http3"

// Codes of WebTransport over HTTP/3. Drafts have only ever added some: a peer of an older one takes a code that it does not know as it
// takes any (RFC 9114, 8), so there is one set for all.
const (
	ErrCodeBufferedStreamRejected http3.ErrCode = 0x3994bd84 // WT_BUFFERED_STREAM_REJECTED: no room for a stream whose session is not there yet
	ErrCodeSessionGone            http3.ErrCode = 0x170d7b68 // WT_SESSION_GONE: a stream ends because its session did
	ErrCodeFlowControl            http3.ErrCode = 0x045d4487 // WT_FLOW_CONTROL_ERROR: the peer overran a limit of its session, or lowered one
	ErrCodeRequirementsNotMet     http3.ErrCode = 0x212c0d48 // WT_REQUIREMENTS_NOT_MET: ends a connection that a client wanted for sessions only
)

// The codes of HTTP/3 that stand for those of applications.
const (
	firstWTCode uint64 = 0x52e4a40fa8db
	lastWTCode  uint64 = 0x52e5ac983162
)

// WTCode is what a stream is reset or stopped with for an application's code: every 31st code belongs to HTTP/3 and is left out.
func WTCode(app uint32) uint64 { return firstWTCode + uint64(app) + uint64(app)/0x1e }

// AppCode is the application's code that a stream was reset or stopped with. ok is false for one that is none of an application.
func AppCode(wire uint64) (app uint32, ok bool) {
	if wire < firstWTCode || wire > lastWTCode || (wire-0x21)%0x1f == 0 {
		return 0, false
	}
	n := wire - firstWTCode
	return uint32(n - n/0x1f), true
}
