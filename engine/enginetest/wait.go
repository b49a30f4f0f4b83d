package enginetest

import (
	"context"
	"testing"
	"time"
)

// Patience bounds a wait for something that must come; it is never reached unless a test fails.
const Patience = 60 * time.Second

// await waits for ch and fails the test if it does not come; what names it.
func await[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case v = <-ch:
	case <-timer.C:
		t.Fatalf("%s did not come", what)
	}
	return v
}

// patient is a context that ends when a wait has taken too long.
func patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Patience)
}
