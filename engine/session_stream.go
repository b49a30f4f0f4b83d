package engine

// A Stream is a stream of a WebTransport session, from STREAM_OPENED to STREAM_ENDED. Sink.Issue gets it as the object of a handle
// of KindStream, or Sink.IssueFor. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do
// nothing once the stream has ended.
type Stream struct {
	session *Session
	handle  Handle
}

// Write sends bytes. The sink is told with Drained once they have left.
func (s *Stream) Write(body Chunk) { body.release() }

// End finishes this side, after what was written.
func (s *Stream) End() {}

// Reset gives this side up, with an application code for the peer.
func (s *Stream) Reset(code uint32) {}

// Stop tells the peer that no more of its side is wanted, with an application code.
func (s *Stream) Stop(code uint32) {}

// Consumed says that the consumer has dealt with n bytes.
func (s *Stream) Consumed(n uint64) {}

// SetPriority ranks the stream against others of its session for sending: in one group those with a higher order go first, groups
// share.
func (s *Stream) SetPriority(group uint32, order int64) {}
