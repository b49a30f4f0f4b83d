package main

import (
	"context"
	"fmt"
	"strconv"
)

// mallocs is how many objects the server's process has allocated since it began, as its GET /mallocs tells: servers in Go have that
// route, and -mallocs asks for it. Without, it is 0. The request itself is among what the next answer counts.
func mallocs(ctx context.Context, c *client) (uint64, error) {
	if !*allocations {
		return 0, nil
	}
	answer, err := c.text(ctx, "/mallocs")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(answer, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("GET /mallocs: %q is no number", answer)
	}
	return n, nil
}
