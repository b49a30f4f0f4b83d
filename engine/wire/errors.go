package wire

import "github.com/quic-go/quic-go/http3"

// A ConnectionError is a breach of the protocol that ends the connection.
type ConnectionError struct {
	Code   http3.ErrCode
	Reason string
}

// Error implements error.
func (e *ConnectionError) Error() string { return e.Reason }

// A CapsuleError is a breach of the protocol that ends one session: Code is what its CONNECT stream is reset with.
type CapsuleError struct {
	Code   http3.ErrCode
	Reason string
}

// Error implements error.
func (e *CapsuleError) Error() string { return e.Reason }
