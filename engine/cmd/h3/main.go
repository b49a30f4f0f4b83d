package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"zigh3/engine/cmd/h3/bench"
	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/get"
	"zigh3/engine/cmd/h3/serve"
	"zigh3/engine/cmd/h3/wt"
	"zigh3/engine/heap"
	"zigh3/engine/sink"
)

var commands = []*cli.Command{&get.Command, &serve.Command, &wt.Command, &bench.Command}

func main() {
	if !heap.Chosen() {
		heap.SetFloor(heap.Usual)
	}
	std := &cli.Std{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	sink.SetFaultHandler(func(name string, value any, stack []byte) {
		fmt.Fprintf(os.Stderr, "h3: a fault of its own, in %q: %v\n%s", name, value, stack)
		os.Exit(int(cli.Fault))
	})
	signal.Ignore(syscall.SIGPIPE) // a write fails instead, and says so
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { sink.Guard("signals", stop) }) // a second one ends the program as if nobody had listened
	err := run(ctx, std, os.Args[1:])
	exit := cli.ExitOf(err)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(std.Err, "h3: %s\n", printable(err.Error()))
	}
	os.Exit(int(exit))
}

// printable is a text that does nothing to a terminal: some of it may be a server's.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// run runs the command that the arguments name.
func run(ctx context.Context, std *cli.Std, args []string) error {
	if len(args) == 0 {
		return cli.Fail(cli.Usage, "no command: h3 --help shows them")
	}
	switch args[0] {
	case "-h", "--help", "help":
		help(std)
		return nil
	}
	for _, c := range commands {
		if c.Name != args[0] {
			continue
		}
		r := c.New()
		operands, err := r.Parse(c, args[1:])
		if errors.Is(err, cli.ErrHelp) {
			c.Help(std.Out)
			return nil
		}
		if err != nil {
			return err
		}
		return r.Main(ctx, std, operands)
	}
	return cli.Fail(cli.Usage, "no command %q: h3 --help shows them", args[0])
}

func help(std *cli.Std) {
	fmt.Fprint(std.Out, "h3 speaks HTTP/3 and WebTransport from the command line.\n\n")
	for _, c := range commands {
		fmt.Fprintf(std.Out, "  %-10s %s\n", c.Name, c.Summary)
	}
	fmt.Fprint(std.Out, "\nh3 COMMAND --help shows a command's options.\n")
}
