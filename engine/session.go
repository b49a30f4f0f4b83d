package engine

import "time"

// A Session is a WebTransport session, from SESSION_REQUEST to SESSION_CLOSED. Sink.Issue gets it as the object of a handle of
// KindSession. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do nothing once the
// session has ended.
type Session struct {
	c      *conn
	handle Handle
}

// Accept takes a session that was asked for. protocol, if not empty, is one that the peer offered; headers is a packed list for the
// response, valid during the call.
func (s *Session) Accept(protocol string, headers []byte) {}

// Reject answers the request of a session with status, headers and body.
func (s *Session) Reject(status int, headers []byte, body Chunk) { body.release() }

// CloseWith ends the session with a code and a reason that the peer gets.
func (s *Session) CloseWith(code uint32, reason string) {}

// Drain asks the peer to end the session soon.
func (s *Session) Drain() {}

// SendDatagram queues a datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no limit.
func (s *Session) SendDatagram(data []byte, maxAge time.Duration) {}

// OpenStream opens a stream whose handle h the consumer's side has given out already. wait says that it waits for the peer's limit
// of streams instead of failing.
func (s *Session) OpenStream(h Handle, unidirectional, wait bool) {}
