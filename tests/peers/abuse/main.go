// Abuse is a client that keeps to the protocol, or almost, and is bad company: it gives up what it has asked for, thousands of times, stops
// what is sent to it, or gives credit by the byte. What it does next waits for what the server has heard: a second connection, which
// behaves, asks for /await/TYPE/N, and the server answers when it has seen N events of that type. That connection is served throughout.
//
//	abuse PORT CASE N
//
// It prints a line that says what came of it, or the failure.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// cases by their name. n says how much there is of it.
var cases = map[string]func(ctx context.Context, c *company, n int) (string, error){
	"broken-requests": func(ctx context.Context, c *company, n int) (string, error) { return giveUp(ctx, c, n, brokenRequest) },
	"reset-requests":  func(ctx context.Context, c *company, n int) (string, error) { return giveUp(ctx, c, n, resetRequest) },
	"undecided-sessions": func(ctx context.Context, c *company, n int) (string, error) {
		return giveUp(ctx, c, n, undecidedSession)
	},
	"ended-sessions":   func(ctx context.Context, c *company, n int) (string, error) { return giveUp(ctx, c, n, endedSession) },
	"reset-streams":    func(ctx context.Context, c *company, n int) (string, error) { return giveUp(ctx, c, n, resetStream) },
	"own-streams":      endOwnStreams,
	"their-streams":    stopTheirStreams,
	"no-capsules":      takeNoCapsules,
	"a-byte-at-a-time": raiseByBytes,
}

func main() {
	if len(os.Args) != 4 || cases[os.Args[2]] == nil {
		fmt.Fprintln(os.Stderr, "usage: abuse PORT CASE N")
		os.Exit(2)
	}
	n, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Second)
	defer cancel()
	c, err := newCompany(ctx, os.Args[1])
	said := ""
	if err == nil {
		said, err = cases[os.Args[2]](ctx, c, n)
	}
	if err != nil {
		said = "failed: " + err.Error()
	}
	fmt.Println(said)
}
