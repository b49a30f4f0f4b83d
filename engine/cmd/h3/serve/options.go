package serve

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"zigh3/engine/cmd/h3/cli"
)

// Command is the command.
var Command = cli.Command{
	Name: "serve", Operands: []string{"DIR"},
	Summary: "Serves the files in DIR over HTTP/3, until it is interrupted.",
	New: func() *cli.Run {
		o := &options{listen: "127.0.0.1:4433", grace: 10 * time.Second}
		return &cli.Run{Options: o.list(), Main: o.main}
	},
}

// options are what the command line says.
type options struct {
	listen    string
	cert, key string
	hidden    bool
	noListing bool
	verbose   bool
	grace     time.Duration
}

func (o *options) list() []cli.Option {
	return []cli.Option{
		{Names: []string{"l", "listen"}, Value: "HOST:PORT", Text: "Where to serve (127.0.0.1:4433); port 0 is one that the system chooses", Set: cli.Text(&o.listen)},
		{Names: []string{"cert"}, Value: "FILE", Text: "PEM with the certificate; without it one is made for localhost, valid for 13 days, such as browsers and --pin accept by its hash", Set: cli.Text(&o.cert)},
		{Names: []string{"key"}, Value: "FILE", Text: "PEM with its key", Set: cli.Text(&o.key)},
		{Names: []string{"hidden"}, Text: "Serve files and folders whose names begin with a dot, too", Set: cli.Switch(&o.hidden)},
		{Names: []string{"no-listing"}, Text: "Show no folder that has no index.html", Set: cli.Switch(&o.noListing)},
		{Names: []string{"grace"}, Value: "SECONDS", Text: "How long requests may go on once it is interrupted (10)", Set: cli.Seconds(&o.grace, 0, cli.Day)},
		{Names: []string{"v", "verbose"}, Text: "Write a line about each request to standard error", Set: cli.Switch(&o.verbose)},
	}
}

// main runs the command.
func (o *options) main(ctx context.Context, std *cli.Std, operands []string) error {
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return cli.Fail(cli.Usage, "--listen: %v", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return cli.Fail(cli.Usage, "--listen: %q is no port", port)
	}
	root, err := os.OpenRoot(operands[0])
	if err != nil {
		return cli.Fail(cli.Input, "%v", err)
	}
	defer root.Close()
	f := newFolder(o, std, root)
	if err := f.start(host, uint16(number)); err != nil {
		return err
	}
	// Whoever waits for this reads it at once.
	at := net.JoinHostPort(cmp.Or(host, "localhost"), strconv.Itoa(int(f.server.Port())))
	if _, err := fmt.Fprintf(std.Out, "serving %s at https://%s/\ncertificate SHA-256 %x\n", operands[0], at, f.server.CertificateHash()); err != nil {
		f.server.Stop(0)
	}
	return f.run(ctx)
}
