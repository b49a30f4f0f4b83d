package sink

// A Code is a result as the consumer sees it. The values are those of enum zig_h3_error.
type Code int32

// The codes that the engine gives.
const (
	OK                    Code = 0
	ErrInvalidArgument    Code = -1
	ErrWrongState         Code = -5
	ErrConfig             Code = -11
	ErrCertificate        Code = -12
	ErrAddressInUse       Code = -13
	ErrAddressUnavailable Code = -14
	ErrPermission         Code = -15
	ErrResolve            Code = -16
	ErrIO                 Code = -17
	ErrLimit              Code = -18
	ErrBadHeader          Code = -400
	ErrBadRoute           Code = -404
	ErrTimeout            Code = -408
	ErrTooLarge           Code = -413
	ErrNotNegotiated      Code = -421
	ErrWouldBlock         Code = -425
	ErrQueueFull          Code = -429
	ErrDatagramTooLarge   Code = -431
	ErrCancelled          Code = -499
	ErrInternal           Code = -500
	ErrClosed             Code = -503
	ErrReset              Code = -504
	ErrIdle               Code = -505
	ErrProtocol           Code = -506
	ErrShutdown           Code = -507

	// A client's.
	ErrRefused          Code = -510 // nobody listens at the address: it says so (ICMP)
	ErrUnreachable      Code = -511 // there is no way to the address
	ErrConnectTimeout   Code = -512 // no connection in connect_timeout_ms
	ErrHandshake        Code = -513 // QUIC or TLS failed for another reason than the server's certificate; or the server takes no more connections
	ErrUnknownAuthority Code = -514 // the certificate was issued by nobody who is believed
	ErrWrongName        Code = -515 // the certificate is for other names
	ErrExpired          Code = -516 // the certificate is not valid now
	ErrPin              Code = -517 // the certificate is none of those pinned, or one that may not be pinned
	ErrPoolTimeout      Code = -518 // no connection or stream was free in queue_timeout_ms
	ErrRejected         Code = -519 // the server has turned the request away unprocessed, and it cannot be sent again
	ErrTruncated        Code = -520 // the response ended early
)

// An Error is a failure with the code that the consumer gets and the words that zig_h3_last_error gives.
type Error struct {
	Code Code
	Text string
	Err  error // the cause, if there is one
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
