package wire

import (
	"testing"

	"github.com/quic-go/quic-go/http3"
)

func TestPriorities(t *testing.T) {
	for field, want := range map[string]struct {
		p     Priority
		given bool
	}{
		"":                       {Priority{3, false}, false},
		"u=0":                    {Priority{0, false}, true},
		"u=7":                    {Priority{7, false}, true},
		"u=1, i":                 {Priority{1, true}, true},
		"u=1,i":                  {Priority{1, true}, true},
		"u=5,  i=?0":             {Priority{5, false}, true},
		"i":                      {Priority{3, true}, true},
		"i=?1":                   {Priority{3, true}, true},
		"i=?0":                   {Priority{3, false}, true},
		"i, u=2":                 {Priority{2, true}, true},
		"i, i=?0":                {Priority{3, false}, true},
		"u=1, u=6":               {Priority{6, false}, true},
		"  u=1":                  {Priority{1, false}, true},
		"u=1 ,\ti  ":             {Priority{1, true}, true},
		"u=1;x=2, i;y":           {Priority{1, true}, true},
		"foo=bar, u=2, baz":      {Priority{2, false}, true},
		"image, u=2":             {Priority{2, false}, true},
		"foo=bar":                {Priority{3, false}, false},
		"u=8":                    {Priority{3, false}, false},
		"u=-1":                   {Priority{3, false}, false},
		"u=10, i":                {Priority{3, true}, true},
		"u=1, u=9":               {Priority{3, false}, false}, // the last one counts, and is none
		"u=03":                   {Priority{3, false}, true},
		"u=1.0, i":               {Priority{3, true}, true},
		"u=\"1\"":                {Priority{3, false}, false},
		"u, i":                   {Priority{3, true}, true},
		"i=1":                    {Priority{3, false}, false},
		"u=(1 2), i=(?1)":        {Priority{3, false}, false},
		"u=1,":                   {Priority{3, false}, false}, // no dictionary
		"u=1, ":                  {Priority{3, false}, false},
		"u=1 i":                  {Priority{3, false}, false},
		"u=1,,i":                 {Priority{3, false}, false},
		"u=, i":                  {Priority{3, false}, false},
		"U=1":                    {Priority{3, false}, false},
		"u=1, i=?2":              {Priority{3, false}, false},
		"u=1, \xff":              {Priority{3, false}, false},
		"u=99999999999999999, i": {Priority{3, false}, false},
	} {
		p, given := ParsePriority(field)
		if p != want.p || given != want.given {
			t.Errorf("%q: %+v, %v", field, p, given)
		}
		if bp, bgiven := ParsePriority([]byte(field)); bp != p || bgiven != given {
			t.Errorf("%q as bytes: %+v, %v", field, bp, bgiven)
		}
	}
	for _, field := range []string{"u=3, i", "u=1", "i", "i=?0", "u=5,i=?1", "i, u=0"} {
		noAllocations(t, field, func() { ParsePriority(field) })
		bytes := []byte(field)
		noAllocations(t, field, func() { ParsePriority(bytes) })
	}
}

func TestPrioritiesAreWritten(t *testing.T) {
	for p, want := range map[Priority]string{{0, true}: "u=0, i", {7, false}: "u=7, i=?0", DefaultPriority: "u=3, i=?0", {200, false}: "u=7, i=?0"} {
		if got := string(AppendPriority([]byte("x"), p)); got != "x"+want {
			t.Errorf("%+v: %q", p, got)
		}
	}
}

func TestPriorityUpdates(t *testing.T) {
	for _, c := range []struct {
		name    string
		typ     uint64
		payload []byte
		want    PriorityUpdate
		code    http3.ErrCode
	}{
		{"a request", 0xf0700, join(400, "u=1, i"), PriorityUpdate{400, Priority{1, true}, true}, 0},
		{"a push", 0xf0701, join(7, "u=1, i"), PriorityUpdate{7, Priority{1, true}, true}, 0},
		{"no value", 0xf0700, join(4), PriorityUpdate{4, DefaultPriority, false}, 0},
		{"a value that is none", 0xf0700, join(4, "\x00"), PriorityUpdate{4, DefaultPriority, false}, 0},
		{"a stream of the server's", 0xf0700, join(5, "u=1"), PriorityUpdate{}, http3.ErrCodeIDError},
		{"a unidirectional stream", 0xf0700, join(6, "u=1"), PriorityUpdate{}, http3.ErrCodeIDError},
		{"nothing", 0xf0700, nil, PriorityUpdate{}, http3.ErrCodeFrameError},
		{"half an id", 0xf0701, []byte{0x40}, PriorityUpdate{}, http3.ErrCodeFrameError},
	} {
		u, err := ParsePriorityUpdate(c.typ, c.payload)
		if u != c.want || codeOf(t, err) != c.code {
			t.Errorf("%s: %+v, %v", c.name, u, err)
		}
	}
	if got := string(AppendPriorityUpdate(nil, 64, Priority{1, true})); got != "\x40\x40u=1, i" {
		t.Errorf("%q", got)
	}
}

// FuzzPriority: what is usual is read as the parser of structured fields reads it, and what is written is read back.
func FuzzPriority(f *testing.F) {
	for _, seed := range []string{"u=3, i", "i=?0,u=1", "u=1,", "i , u=2", "foo;bar=1, u=(1 2)", "u=1 i"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		p, given := ParsePriority(field)
		// A member that means nothing has the field read by the parser.
		slow, slowGiven := ParsePriority("x, " + field)
		if field != "" && field[0] != ' ' && field[0] != '\t' && (p != slow || given != slowGiven) {
			t.Fatalf("%q: %+v, %v, by the parser %+v, %v", field, p, given, slow, slowGiven)
		}
		if again, given := ParsePriority(AppendPriority(nil, p)); again != p || !given || p.Urgency > 7 {
			t.Fatalf("%q: %+v, then %+v", field, p, again)
		}
		u, err := ParsePriorityUpdate(FramePriorityUpdatePush, []byte(field))
		if code := codeOf(t, err); code != 0 && code != http3.ErrCodeFrameError || u.Priority.Urgency > 7 {
			t.Fatalf("%q: %+v, %v", field, u, err)
		}
	})
}
