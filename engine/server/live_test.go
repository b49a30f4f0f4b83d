package server

import "testing"

// What is called while an object lasts is not called behind its end.
func TestLiveCallsNothingOfWhatHasEnded(t *testing.T) {
	for name, c := range map[string]struct {
		live func(func())
		want int
	}{
		"request":                {(&Request{}).Live, 1},
		"request that has ended": {(&Request{ended: true, finished: true}).Live, 0},
		"request on its way out": {(&Request{ended: true, running: 1}).Live, 0},
	} {
		calls := 0
		c.live(func() { calls++ })
		if calls != c.want {
			t.Errorf("%s: called %d times", name, calls)
		}
	}
}
