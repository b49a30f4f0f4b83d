package wt

import (
	"context"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// Command is the command.
var Command = cli.Command{
	Name: "wt", Operands: []string{"URL"},
	Summary: "Opens a WebTransport session at URL, sends standard input on a bidirectional stream, and writes to standard output what comes back.",
	New: func() *cli.Run {
		o := &options{wait: time.Second}
		return &cli.Run{Options: o.list(), Main: o.main}
	},
}

// options are what the command line says.
type options struct {
	peer.Settings
	fields      peer.FieldList
	protocols   []string
	datagrams   bool
	wait        time.Duration
	closeCode   int64
	closeReason string
	verbose     bool
}

func (o *options) list() []cli.Option {
	return append([]cli.Option{
		{Names: []string{"datagrams"}, Text: "Send each line as a datagram instead, and write each that comes as a line", Set: cli.Switch(&o.datagrams)},
		{Names: []string{"wait"}, Value: "SECONDS", Text: "With --datagrams: how long they are still taken after the last line (1)", Set: cli.Seconds(&o.wait, 0, cli.Day)},
		{Names: []string{"protocol"}, Value: "NAME", Text: "A subprotocol to offer. May be given more than once", Set: cli.Texts(&o.protocols)},
		{Names: []string{"H", "header"}, Value: "FIELD", Text: "A header field of the request for the session, \"Name: value\". May be given more than once", Set: o.fields.Set},
		{Names: []string{"close-code"}, Value: "CODE", Text: "The code to close the session with (0)", Set: cli.Number(&o.closeCode, 0, 1<<32-1)},
		{Names: []string{"close-reason"}, Value: "TEXT", Text: "The reason to close it with, at most 1024 bytes", Set: cli.Text(&o.closeReason)},
		{Names: []string{"v", "verbose"}, Text: "Tell on standard error of the connection, the session and its streams", Set: cli.Switch(&o.verbose)},
	}, o.Settings.Options()...)
}

// clientHandle is what stands for the client in events: no handle of the queue's is as large.
const clientHandle = 1 << 62

// mostReason is the longest reason that a session can be closed with.
const mostReason = 1024

// main runs the command.
func (o *options) main(ctx context.Context, std *cli.Std, operands []string) error {
	if len(o.closeReason) > mostReason {
		return cli.Fail(cli.Usage, "--close-reason has %d bytes, more than %d", len(o.closeReason), mostReason)
	}
	target, err := peer.Parse(operands[0])
	if err != nil {
		return err
	}
	v := &visit{o: o, std: std, queue: queue.New(), target: target, streams: make(map[sink.Handle]*incoming)}
	if v.client, err = o.Client(v.queue, clientHandle, new(sink.ClientStats), nil); err != nil {
		return err
	}
	return v.run(ctx)
}
