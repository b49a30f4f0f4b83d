package get

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// Command is the command.
var Command = cli.Command{
	Name: "get", Operands: []string{"URL"},
	Summary: "Requests URL over HTTP/3 and writes the response's body to standard output. A body that ends early is an error.",
	New: func() *cli.Run {
		o := &options{maxRedirects: 20}
		return &cli.Run{Options: o.list(), Main: o.main}
	},
}

// options are what the command line says.
type options struct {
	peer.Settings
	method       string
	fields       peer.FieldList
	data         []string
	upload       string
	output       string
	from         string // --continue: "-" or a number; empty: from the begin
	head         bool
	include      bool
	follow       bool
	maxRedirects int
	fail         bool
	json         bool
	silent       bool
	verbose      bool
	maxTime      time.Duration
}

func (o *options) list() []cli.Option {
	return append([]cli.Option{
		{Names: []string{"X", "request"}, Value: "METHOD", Text: "The method (GET; HEAD with -I, POST with -d, PUT with -T)", Set: cli.Text(&o.method)},
		{Names: []string{"H", "header"}, Value: "FIELD", Text: "A header field, \"Name: value\"; \"Name:\" takes one away that would be sent, \"Name;\" is one without a value. May be given more than once", Set: o.fields.Set},
		{Names: []string{"d", "data"}, Value: "DATA", Text: "The request's body, or with @FILE what is in that file, as it is; @- is standard input. More than one are joined by \"&\"", Set: cli.Texts(&o.data)},
		{Names: []string{"T", "upload-file"}, Value: "FILE", Text: "A file that is the request's body, sent as it is read; - is standard input", Set: cli.Text(&o.upload)},
		{Names: []string{"o", "output"}, Value: "FILE", Text: "Where the body goes instead of standard output", Set: cli.Text(&o.output)},
		{Names: []string{"C", "continue"}, Value: "OFFSET", Text: "Go on with a download into -o FILE: - is where it has ended, if FILE.h3part says of what it is a part; a number is taken at its word", Set: o.setContinue},
		{Names: []string{"i", "include"}, Text: "Write heads of responses, too, in front of the body", Set: cli.Switch(&o.include)},
		{Names: []string{"I", "head"}, Text: "Ask with HEAD, and write the head", Set: cli.Switch(&o.head)},
		{Names: []string{"L", "location"}, Text: "Follow redirects. Credentials go to no other origin", Set: cli.Switch(&o.follow)},
		{Names: []string{"max-redirs"}, Value: "N", Text: "How many redirects are followed at most (20)", Set: cli.Number(&o.maxRedirects, 0, 1000)},
		{Names: []string{"f", "fail"}, Text: "Let a status from 400 on be an error, and write no body of one", Set: cli.Switch(&o.fail)},
		{Names: []string{"m", "max-time"}, Value: "SECONDS", Text: "The longest that all of it may take", Set: cli.Seconds(&o.maxTime, 0.001, cli.Day)},
		{Names: []string{"json"}, Text: "Write a line of JSON about the transfer to standard output; the body goes to -o FILE, or nowhere", Set: cli.Switch(&o.json)},
		{Names: []string{"s", "silent"}, Text: "No progress on the terminal, and no message when something fails", Set: cli.Switch(&o.silent)},
		{Names: []string{"v", "verbose"}, Text: "Tell on standard error of connections, requests and responses", Set: cli.Switch(&o.verbose)},
	}, o.Settings.Options()...)
}

func (o *options) setContinue(value string) error {
	if value != "-" {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < 0 {
			return fmt.Errorf("it takes - or a number of bytes")
		}
	}
	o.from = value
	return nil
}

// check holds options against each other.
func (o *options) check() error {
	switch {
	case len(o.data) > 0 && o.upload != "":
		return cli.Fail(cli.Usage, "-d and -T are both the request's body")
	case o.head && (len(o.data) > 0 || o.upload != ""):
		return cli.Fail(cli.Usage, "-I asks without a body")
	case o.from != "" && o.output == "":
		return cli.Fail(cli.Usage, "-C goes on with a file: -o is missing")
	case o.from != "" && (o.head || len(o.data) > 0 || o.upload != "" || o.method != "" && o.method != "GET"):
		return cli.Fail(cli.Usage, "-C goes on with what GET gives")
	case o.from != "" && o.include:
		return cli.Fail(cli.Usage, "-i would write a head into the middle of the file that -C goes on with")
	case o.method == "CONNECT":
		return cli.Fail(cli.Usage, "CONNECT is not for requests: h3 wt asks for a session")
	}
	return nil
}

// main runs the command.
func (o *options) main(ctx context.Context, std *cli.Std, operands []string) error {
	if err := o.check(); err != nil {
		return err
	}
	target, err := peer.Parse(operands[0])
	if err != nil {
		return err
	}
	t := &transfer{o: o, std: std, queue: queue.New(), target: target, began: time.Now(), conns: make(map[sink.Handle]*connection)}
	if err := t.prepare(); err != nil {
		return err
	}
	more := peer.More{"webtransport": false, "max_connections_per_origin": 1}
	if t.client, err = o.Client(t.queue, clientHandle, new(sink.ClientStats), more); err != nil {
		return err
	}
	return t.run(ctx)
}

// clientHandle is what stands for the client in events: no handle of the queue's is as large.
const clientHandle = 1 << 62

// isTerminal reports whether f is one.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && hasTermios(f)
}
