package session

import "testing"

// Sessions of ours are asked for on several goroutines, and count before they are among those that there are.
func TestSessionsCountFromTheirClaim(t *testing.T) {
	set := newTestSet(0)
	first, second := &Session{id: 0}, &Session{id: 4}
	if !set.claim(first, 1) || set.claim(second, 1) {
		t.Fatal("not one of two may be there")
	}
	set.disclaim(second)
	if set.claim(second, 1) {
		t.Error("another's claim was taken back")
	}
	set.insert(first)
	if set.claim(second, 1) {
		t.Error("claimed beside one that is there")
	}
	set.disclaim(first)
	set.disclaim(first)
	if !set.claim(second, 1) || set.claim(first, 1) {
		t.Error("what has ended still counts, or counts twice")
	}
}
