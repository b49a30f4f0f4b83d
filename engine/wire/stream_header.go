package wire

import (
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// What a stream of a session begins with; its session's id follows.
const (
	StreamTypeBidi uint64 = 0x41 // where a request has the type of its first frame
	StreamTypeUni  uint64 = 0x54
)

// ErrLateStreamHeader is what a peer gets that sends the type of a session's bidirectional stream anywhere but at the begin of one.
var ErrLateStreamHeader error = &ConnectionError{http3.ErrCodeFrameError, "the header of a session's stream inside of a stream"}

// AppendStreamHeader appends what a stream of a session begins with. session is the id of a CONNECT stream.
func AppendStreamHeader(dst []byte, uni bool, session uint64) []byte {
	return quicvarint.Append(quicvarint.Append(dst, wtStreamType(uni)), session)
}

// StreamHeaderLen is how many bytes AppendStreamHeader appends.
func StreamHeaderLen(uni bool, session uint64) int {
	return quicvarint.Len(wtStreamType(uni)) + quicvarint.Len(session)
}

func wtStreamType(uni bool) uint64 {
	if uni {
		return StreamTypeUni
	}
	return StreamTypeBidi
}
