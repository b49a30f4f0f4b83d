package sink

import (
	"fmt"
	"testing"
)

func TestGuardKeepsAPanic(t *testing.T) {
	var got string
	SetFaultHandler(func(name string, v any, stack []byte) { got = fmt.Sprint(name, ": ", v, len(stack) > 0) })
	defer SetFaultHandler(nil)
	Guard("test", func() { panic("ouch") })
	if got != "test: ouchtrue" {
		t.Errorf("%q", got)
	}
}
