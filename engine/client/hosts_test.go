package client

import (
	"fmt"
	"testing"
)

// Where a name with its port is goes before where the name is; an address without a port has the origin's.
func TestHostsOfANameWithItsPort(t *testing.T) {
	f := newFixture(t, `{"hosts": {"a.test": ["192.0.2.1", "192.0.2.2:7"], "a.test:99": "192.0.2.3", "2001:db8::1": "192.0.2.4", "[2001:db8::1]:99": "192.0.2.5:8"}}`)
	for _, c := range [][2]string{
		{"a.test", "[192.0.2.1:443 192.0.2.2:7]"},
		{"A.test:98", "[192.0.2.1:98 192.0.2.2:7]"},
		{"A.test:99", "[192.0.2.3:99]"},
		{"[2001:db8::1]", "[192.0.2.4:443]"},
		{"[2001:db8::1]:99", "[192.0.2.5:8]"},
	} {
		key, err := originOf(c[0])
		if err != nil {
			t.Fatal(err)
		}
		if at, err := f.client.addresses(t.Context(), key); err != nil || fmt.Sprint(at) != c[1] {
			t.Errorf("%s: %v, %v, not %s", c[0], at, err, c[1])
		}
	}
}
