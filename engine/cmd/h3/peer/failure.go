package peer

import (
	"fmt"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/sink"
)

// exits are what the engine's codes mean to who has called the program.
var exits = map[sink.Code]cli.Exit{
	sink.ErrInvalidArgument:  cli.Usage,
	sink.ErrBadHeader:        cli.Usage,
	sink.ErrBadURL:           cli.Usage,
	sink.ErrConfig:           cli.Usage,
	sink.ErrCertificate:      cli.Identity,
	sink.ErrResolve:          cli.Resolve,
	sink.ErrRefused:          cli.Connect,
	sink.ErrUnreachable:      cli.Connect,
	sink.ErrConnectTimeout:   cli.Timeout,
	sink.ErrTimeout:          cli.Timeout,
	sink.ErrPoolTimeout:      cli.Timeout,
	sink.ErrHandshake:        cli.Handshake,
	sink.ErrUnknownAuthority: cli.Certificate,
	sink.ErrWrongName:        cli.Certificate,
	sink.ErrExpired:          cli.Certificate,
	sink.ErrPin:              cli.Pin,
	sink.ErrTruncated:        cli.Truncated,
	sink.ErrTooLarge:         cli.TooLarge,
	sink.ErrProtocol:         cli.Protocol,
	sink.ErrReset:            cli.Lost,
	sink.ErrClosed:           cli.Lost,
	sink.ErrIdle:             cli.Lost,
	sink.ErrIO:               cli.Lost,
	sink.ErrRejected:         cli.Lost,
	sink.ErrNotNegotiated:    cli.Refused,
	sink.ErrShutdown:         cli.Interrupted,
}

// words are what is said where the engine says nothing, and of a stream that was reset, where QUIC's own are about QUIC.
var words = map[sink.Code]string{
	sink.ErrReset:    "the server has reset the stream",
	sink.ErrClosed:   "the connection was closed",
	sink.ErrIdle:     "the server is silent",
	sink.ErrTimeout:  "it took too long",
	sink.ErrRejected: "the server has turned the request away",
	sink.ErrShutdown: "interrupted",
}

// FailureOf is how a command ends because of an event with a code, nil for a code of success. begun says that the head of a response had come.
func FailureOf(code sink.Code, text string, aux uint64, begun bool) error {
	if code == sink.OK {
		return nil
	}
	exit, known := exits[code]
	if !known {
		exit = cli.Fault
	}
	if begun && exit == cli.Lost {
		exit = cli.Truncated
	}
	if text == "" || code == sink.ErrReset {
		text = words[code]
	}
	if text == "" {
		text = fmt.Sprintf("code %d", code)
	}
	if aux != 0 {
		text += fmt.Sprintf(" (0x%x)", aux)
	}
	return &cli.Failure{Exit: exit, Text: text}
}
