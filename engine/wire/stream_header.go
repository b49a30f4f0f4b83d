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

// MaxStreamHeader is the longest that the header of a stream can be.
const MaxStreamHeader = 16

// ErrLateStreamHeader is what a peer gets that sends the type of a session's bidirectional stream anywhere but at the begin of one.
var ErrLateStreamHeader error = &ConnectionError{http3.ErrCodeFrameError, "the header of a session's stream inside of a stream"}

var errSessionID = &ConnectionError{http3.ErrCodeIDError, "the id of a session that no client can have opened"}

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

// A StreamHeader is what a stream begins with.
type StreamHeader struct {
	Type      uint64 // of a unidirectional stream; of the first frame of another one
	OfSession bool   // it is a session's, as Type says
	Session   uint64 // then: the session's id
	Len       int    // bytes, of the type alone where it is no session's
}

// ParseStreamHeader reads the begin of a stream from its first bytes. complete is false when p ends before the header does; that of a
// session's stream has at most MaxStreamHeader bytes. Its failure is a *ConnectionError.
func ParseStreamHeader(p []byte, uni bool) (h StreamHeader, complete bool, err error) {
	typ, n, err := quicvarint.Parse(p)
	if err != nil {
		return h, false, nil
	}
	if typ != wtStreamType(uni) {
		return StreamHeader{Type: typ, Len: n}, true, nil
	}
	session, m, err := quicvarint.Parse(p[n:])
	if err != nil {
		return h, false, nil
	}
	if session%4 != 0 {
		return h, true, errSessionID
	}
	return StreamHeader{Type: typ, OfSession: true, Session: session, Len: n + m}, true, nil
}
