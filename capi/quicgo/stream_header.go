//go:build ignore

// A file more in quic-go's package quic: see README.md beside this file.

package quic

import "github.com/quic-go/quic-go/internal/protocol"

// keepHeader sees to it that the header of a session's stream, if it is there and unread, can be read although the stream was just reset,
// as if the peer had made it reliable. A browser that knows no RESET_STREAM_AT sends a reset right behind what it takes back: both are dealt
// with before anybody can have read whose stream it is, and nobody would hear of it. What follows the header goes the way of all that is
// reset. Called with the mutex held.
func (s *ReceiveStream) keepHeader() {
	var b [10]byte
	if s.cancelledLocally || s.readPos != 0 || !s.begins(b[:3]) {
		return
	}
	// The types of such streams, WT_STREAM of both kinds (draft-ietf-webtrans-http3, 4), as everybody writes them.
	if b[0] != 0x40 || b[1] != 0x41 && b[1] != 0x54 {
		return
	}
	if n := 2 + 1<<(b[2]>>6); s.begins(b[:n]) {
		s.reliableSize = max(s.reliableSize, protocol.ByteCount(n))
	}
}

// begins copies what an unread stream begins with, if all of it is there.
func (s *ReceiveStream) begins(b []byte) bool {
	n := copy(b, s.currentFrame)
	return s.frameQueue.Peek(protocol.ByteCount(len(s.currentFrame)), b[n:]) == nil
}
