package bench

import (
	"bytes"
	"context"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
)

// Command is the command.
var Command = cli.Command{
	Name: "bench", Operands: []string{"URL"},
	Summary: "Requests URL again and again, and says how many requests a second came to their end, how long they took and what they cost.",
	New: func() *cli.Run {
		o := &options{connections: 1, streams: 16, duration: 5 * time.Second, warm: 500 * time.Millisecond, method: "GET"}
		return &cli.Run{Options: o.list(), Main: o.main}
	},
}

// options are what the command line says.
type options struct {
	peer.Settings
	connections int
	streams     int
	duration    time.Duration
	requests    int64 // 0: as many as there is time for
	warm        time.Duration
	method      string
	fields      peer.FieldList
	bytes       int64
	pid         int
	json        bool
}

// mostBytes is the largest body that is sent: all requests send the same bytes.
const mostBytes = 1 << 30

func (o *options) list() []cli.Option {
	return append([]cli.Option{
		{Names: []string{"c", "connections"}, Value: "N", Text: "Connections (1)", Set: cli.Number(&o.connections, 1, 10_000)},
		{Names: []string{"s", "streams"}, Value: "N", Text: "Requests in flight on each (16); a server may let there be fewer", Set: cli.Number(&o.streams, 1, 10_000)},
		{Names: []string{"t", "time"}, Value: "SECONDS", Text: "How long to ask (5)", Set: cli.Seconds(&o.duration, 0.001, cli.Day)},
		{Names: []string{"n", "requests"}, Value: "N", Text: "How many requests to make, however long they take, instead", Set: cli.Number(&o.requests, 1, 1_000_000_000)},
		{Names: []string{"warm"}, Value: "SECONDS", Text: "How long to ask before that counts (0.5)", Set: cli.Seconds(&o.warm, 0, cli.Day)},
		{Names: []string{"X", "request"}, Value: "METHOD", Text: "The method (GET; POST with --bytes)", Set: cli.Text(&o.method)},
		{Names: []string{"H", "header"}, Value: "FIELD", Text: "A header field, \"Name: value\". May be given more than once", Set: o.fields.Set},
		{Names: []string{"bytes"}, Value: "N", Text: "Send a body of so many bytes with each request", Set: cli.Number(&o.bytes, 1, mostBytes)},
		{Names: []string{"pid"}, Value: "PID", Text: "The server's process, if it runs on this machine: say what it has cost, too", Set: cli.Number(&o.pid, 1, 1<<22)},
		{Names: []string{"json"}, Text: "Write one line of JSON instead of a table", Set: cli.Switch(&o.json)},
	}, o.Settings.Options()...)
}

// main runs the command.
func (o *options) main(ctx context.Context, std *cli.Std, operands []string) error {
	target, err := peer.Parse(operands[0])
	if err != nil {
		return err
	}
	if o.bytes > 0 && o.method == "GET" {
		o.method = "POST"
	}
	l := &load{o: o, target: target, headers: o.fields.With(peer.Fields{{Name: "user-agent", Value: "h3"}}).Pack(), body: bytes.Repeat([]byte{'h'}, int(o.bytes))}
	r, err := l.measure(ctx)
	if r == nil {
		return err
	}
	if werr := r.write(std.Out, o.json); werr != nil {
		return cli.Fail(cli.Output, "%v", werr)
	}
	return err
}
