package wire

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
)

func packFields(fields ...string) []byte {
	var list []byte
	for i := 0; i < len(fields); i += 2 {
		list = AppendPacked(list, fields[i], fields[i+1])
	}
	return list
}

func qpackFields(t testing.TB, section []byte) []string {
	t.Helper()
	var fields []string
	next := qpack.NewDecoder().Decode(section)
	for {
		field, err := next()
		if err == io.EOF {
			return fields
		}
		if err != nil {
			t.Fatalf("%x: %v", section, err)
		}
		fields = append(fields, field.Name, field.Value)
	}
}

func TestResponseSections(t *testing.T) {
	const date = "Sun, 23 Nov 2025 17:00:00 GMT"
	e := NewFieldEncoder()
	e.now = func() time.Time { return time.Date(2025, 11, 23, 18, 0, 0, 999, time.FixedZone("", 3600)) }
	long := strings.Repeat("v", 3000)
	for _, c := range []struct {
		status  int
		list    []string
		length  int64
		addDate bool
		want    []string
	}{
		{200, nil, -1, false, []string{":status", "200"}},
		{200, nil, 0, false, []string{":status", "200", "content-length", "0"}},
		{200, []string{"content-type", "text/plain", "x-a", "b"}, 11, true,
			[]string{":status", "200", "content-type", "text/plain", "x-a", "b", "content-length", "11", "date", date}},
		{200, []string{"content-type", "text/plain", "x-a", "b"}, 12, false,
			[]string{":status", "200", "content-type", "text/plain", "x-a", "b", "content-length", "12"}},
		{404, []string{"content-length", "5", "date", "never"}, 12, true, []string{":status", "404", "content-length", "5", "date", "never"}},
		{204, []string{"content-length", "5", "x", "y"}, 12, true, []string{":status", "204", "x", "y", "date", date}},
		{103, []string{"link", "</a>"}, 12, false, []string{":status", "103", "link", "</a>"}},
		{304, nil, 1 << 62, true, []string{":status", "304", "content-length", "4611686018427387904", "date", date}},
		{599, []string{"set-cookie", "a", "set-cookie", "b", "x", long}, -1, true,
			[]string{":status", "599", "set-cookie", "a", "set-cookie", "b", "x", long, "date", date}},
	} {
		for _, round := range []string{"first", "from the cache"} {
			section := e.AppendResponse([]byte("before"), c.status, packFields(c.list...), c.length, c.addDate)
			if string(section[:6]) != "before" {
				t.Fatalf("what was in the buffer is gone: %q", section[:6])
			}
			if got := qpackFields(t, section[6:]); !slices.Equal(got, c.want) {
				t.Errorf("%s: %d %q: %q\nwant %q", round, c.status, c.list, got, c.want)
			}
		}
	}
}

func TestDateFollowsTheClock(t *testing.T) {
	e := NewFieldEncoder()
	now := time.Date(2025, 11, 23, 17, 0, 0, 0, time.UTC)
	e.now = func() time.Time { return now }
	for _, want := range []string{"Sun, 23 Nov 2025 17:00:00 GMT", "Sun, 23 Nov 2025 17:00:00 GMT", "Sun, 23 Nov 2025 17:00:01 GMT"} {
		if got := qpackFields(t, e.AppendResponse(nil, 200, nil, -1, true)); got[3] != want {
			t.Errorf("at %v: %q, want %q", now, got[3], want)
		}
		now = now.Add(500 * time.Millisecond)
	}
}

func TestTrailerSections(t *testing.T) {
	e := NewFieldEncoder()
	for _, list := range [][]string{nil, {"grpc-status", "0"}, {"x", "1", "x", "2", "content-length", "date"}, nil} {
		if got := qpackFields(t, e.AppendTrailers(nil, packFields(list...))); !slices.Equal(got, list) {
			t.Errorf("%q came out as %q", list, got)
		}
	}
}

// More lists than the cache has places for, each with several statuses, twice: whatever is remembered, the answer is the right one.
func TestEncoderCacheNeverMixesLists(t *testing.T) {
	e := NewFieldEncoder()
	for range 2 {
		for i := range 5 * encodedSlots {
			for _, status := range []string{"200", "204", "404"} {
				list := []string{"x-n", fmt.Sprint(i)}
				n := int(status[0]-'0')*100 + int(status[2]-'0')
				got := qpackFields(t, e.AppendResponse(nil, n, packFields(list...), -1, false))
				if want := []string{":status", status, "x-n", fmt.Sprint(i)}; !slices.Equal(got, want) {
					t.Fatalf("%q, want %q", got, want)
				}
			}
		}
	}
}

func TestEncoderMakesNoGarbage(t *testing.T) {
	e := NewFieldEncoder()
	list := packFields("content-type", "text/plain;charset=utf-8", "x-a", "b")
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() { e.AppendResponse(dst, 200, list, 11, true) }); n != 0 {
		t.Errorf("%v allocations for a response from the cache", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	list := packFields("content-type", "text/plain;charset=utf-8", "x-powered-by", "zig_h3")
	dst := make([]byte, 0, 4096)
	b.Run("cached", func(b *testing.B) {
		e := NewFieldEncoder()
		b.ReportAllocs()
		for b.Loop() {
			e.AppendResponse(dst, 200, list, 11, true)
		}
	})
	b.Run("new each time", func(b *testing.B) {
		e := NewFieldEncoder()
		status := 200
		b.ReportAllocs()
		for b.Loop() {
			if status++; status == 600 {
				status = 200
			}
			e.AppendResponse(dst, status, list, 11, true)
		}
	})
}
