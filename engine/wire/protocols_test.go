package wire

import (
	"fmt"
	"slices"
	"testing"
)

func TestProtocolsAreOffered(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   []string
	}{
		{nil, nil},
		{[]string{`"a", "b"`}, []string{"a", "b"}},
		{[]string{`"a"`, `"b", "c"`}, []string{"a", "b", "c"}},
		{[]string{`"a\"\\b";q=1, ""`}, []string{`a"\b`, ""}},
		{[]string{`"a", token`}, nil},
		{[]string{`"a", 1`}, nil},
		{[]string{`"a", ("b")`}, nil},
		{[]string{`"a",`}, nil},
		{[]string{`"a`}, nil},
		{[]string{`"é"`}, nil},
		{[]string{``}, nil},
	} {
		if got := ParseAvailableProtocols(c.values); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.values, got)
		}
	}
	value, err := FormatAvailableProtocols([]string{"a", `b"\`, ""})
	if value != `"a", "b\"\\", ""` || err != nil {
		t.Errorf("%s, %v", value, err)
	}
	if value, err := FormatAvailableProtocols([]string{"a", "é"}); value != "" || err == nil {
		t.Errorf("%s, %v", value, err)
	}
}

func TestAProtocolIsChosen(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{`"a"`}, "a true"},
		{[]string{`"";x`}, " true"},
		{[]string{`a`}, " false"},
		{[]string{`"a", "b"`}, " false"},
		{[]string{`"a"`, `"b"`}, " false"},
		{[]string{`1`}, " false"},
		{nil, " false"},
	} {
		name, ok := ParseProtocol(c.values)
		if got := fmt.Sprint(name, " ", ok); got != c.want {
			t.Errorf("%q: %s", c.values, got)
		}
	}
	if value, err := FormatProtocol(`a"`); value != `"a\""` || err != nil {
		t.Errorf("%s, %v", value, err)
	}
	if value, err := FormatProtocol("a\n"); value != "" || err == nil {
		t.Errorf("%s, %v", value, err)
	}
}

// FuzzProtocols: what a peer offers or chooses and we understand is what we would write.
func FuzzProtocols(f *testing.F) {
	f.Add(`"a", "b"`)
	f.Add(`"a\"";x=1`)
	f.Add(`a, (b)`)
	f.Fuzz(func(t *testing.T, value string) {
		if names := ParseAvailableProtocols([]string{value}); names != nil {
			again, err := FormatAvailableProtocols(names)
			if err != nil || !slices.Equal(ParseAvailableProtocols([]string{again}), names) {
				t.Fatalf("%q: %q, %v", value, again, err)
			}
		}
		if name, ok := ParseProtocol([]string{value}); ok {
			again, err := FormatProtocol(name)
			if second, ok := ParseProtocol([]string{again}); err != nil || !ok || second != name {
				t.Fatalf("%q: %q, %v", value, again, err)
			}
		}
	})
}
