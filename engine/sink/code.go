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
