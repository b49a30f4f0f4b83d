package cli

import (
	"errors"
	"fmt"
)

// An Exit is an exit code: it says what failed. The numbers are curl's where curl has one for it.
type Exit int

// The exit codes. Exits says what they mean.
const (
	OK          Exit = 0
	Scheme      Exit = 1
	Usage       Exit = 2
	URL         Exit = 3
	Resolve     Exit = 6
	Connect     Exit = 7
	Truncated   Exit = 18
	Status      Exit = 22
	Output      Exit = 23
	Input       Exit = 26
	Timeout     Exit = 28
	Range       Exit = 33
	Handshake   Exit = 35
	Bind        Exit = 45
	Redirects   Exit = 47
	Lost        Exit = 56
	Identity    Exit = 58
	Certificate Exit = 60
	TooLarge    Exit = 63
	Rewind      Exit = 65
	Fault       Exit = 70
	Authorities Exit = 77
	Pin         Exit = 90
	Protocol    Exit = 95
	Refused     Exit = 110
	Closed      Exit = 111
	Interrupted Exit = 130
)

// Exits are all exit codes, with the name that JSON has for each.
var Exits = []struct {
	Exit Exit
	Name string
	Text string
}{
	{OK, "ok", "Everything was done"},
	{Scheme, "scheme", "The URL, or one that a redirect leads to, is not of https"},
	{Usage, "usage", "The command line is wrong: an option, a value, a method or a header field"},
	{URL, "url", "The URL is malformed"},
	{Resolve, "resolve", "The name could not be looked up"},
	{Connect, "connect", "Nobody is there: the port is closed, or there is no way to the address"},
	{Truncated, "truncated", "The response ended before its end: what came of its body is not all of it"},
	{Status, "status", "The server answered with a status from 400 on, and `--fail` was given"},
	{Output, "output", "What came could not be written"},
	{Input, "input", "A file that was to be sent or served, or standard input, could not be read"},
	{Timeout, "timeout", "It took too long: connecting, or the whole of it"},
	{Range, "range", "The download cannot be continued: the server gives another part than was asked for, or nothing is known of the file that is there"},
	{Handshake, "handshake", "QUIC or TLS failed, and not for the server's certificate; or the server takes no more connections"},
	{Bind, "bind", "The address to serve at is taken, not there or not allowed"},
	{Redirects, "redirects", "More redirects than `--max-redirs`"},
	{Lost, "lost", "The connection or the stream was lost before there was a response"},
	{Identity, "identity", "An own certificate or its key could not be read, or they are not a pair"},
	{Certificate, "certificate", "The server's certificate is not believed: who has issued it, its names, or its time"},
	{TooLarge, "too_large", "The response's head is larger than is taken, or the request's than the server takes"},
	{Rewind, "rewind", "A redirect asks for the request's body once more, and it came from standard input"},
	{Fault, "fault", "A fault of the program's own"},
	{Authorities, "authorities", "The file of `--cacert` could not be read"},
	{Pin, "pin", "The server's certificate is none of those of `--pin`, or one that may not be pinned"},
	{Protocol, "protocol", "The server broke HTTP/3 or QUIC"},
	{Refused, "refused", "The server has no WebTransport, or did not accept the session"},
	{Closed, "closed", "The server closed the session with another code than 0, or reset its stream"},
	{Interrupted, "interrupted", "SIGINT or SIGTERM came"},
}

// Name is the name of an exit code.
func (e Exit) Name() string {
	for i := range Exits {
		if Exits[i].Exit == e {
			return Exits[i].Name
		}
	}
	return ""
}

// A Failure is why a command ends otherwise than well.
type Failure struct {
	Exit Exit
	Text string
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Fail makes a Failure.
func Fail(exit Exit, format string, args ...any) *Failure {
	return &Failure{exit, fmt.Sprintf(format, args...)}
}

// ExitOf is the exit code of how a command has ended.
func ExitOf(err error) Exit {
	var f *Failure
	switch {
	case err == nil:
		return OK
	case errors.As(err, &f):
		return f.Exit
	default:
		return Fault
	}
}
