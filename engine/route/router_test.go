package route

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"zigh3/engine/sink"
)

// newTestRouter registers "METHOD pattern" or "pattern" (any method), and gives what each match is called by: the same text.
func newTestRouter(t testing.TB, routes ...string) (*Router, func(Match) string) {
	t.Helper()
	r := NewRouter()
	names := map[uint32]string{}
	for _, text := range routes {
		method, pattern, ok := strings.Cut(text, " ")
		if !ok {
			method, pattern = "", text
		}
		id, err := r.Add(method, pattern, uint32(len(names)), uint64(len(names))<<32)
		if err != nil {
			t.Fatal(err)
		}
		names[id] = text
	}
	return r, func(m Match) string {
		if m.Status != 0 {
			return strings.TrimSpace(fmt.Sprint(m.Status, " ", m.Allow))
		}
		if m.Flags != m.ID-1 || m.UserData != uint64(m.Flags)<<32 {
			t.Errorf("route %d came with flags %d and user data %#x", m.ID, m.Flags, m.UserData)
		}
		return names[m.ID]
	}
}

func TestRouting(t *testing.T) {
	long := "/" + strings.Repeat("p", 999)
	type ask struct{ method, target, want string }
	for _, c := range []struct {
		name   string
		routes []string
		asks   []ask
	}{
		{"R01 literals", []string{"GET /", "GET /api/users"}, []ask{
			{"GET", "/", "GET /"}, {"GET", "/api/users", "GET /api/users"}, {"GET", "/api/users?a=/b", "GET /api/users"}, {"GET", "/?", "GET /"},
			{"HEAD", "/api/users", "GET /api/users"}, {"get", "/", "405 GET, HEAD"},
		}},
		{"R02 parameters", []string{"GET /api/users/:id"}, []ask{
			{"GET", "/api/users/42", "GET /api/users/:id"}, {"GET", "/api/users/user%40domain.com", "GET /api/users/:id"},
			{"GET", "/api/users/", "404"}, {"GET", "/api/users", "404"}, {"GET", "/api/users/1/2", "404"},
		}},
		{"R03 wildcard", []string{"/files/*"}, []ask{
			{"GET", "/files/test.txt", "/files/*"}, {"GET", "/files/docs/readme.md", "/files/*"}, {"GET", "/files/", "/files/*"},
			{"GET", "/files/?format=pretty", "/files/*"}, {"GET", "/files", "404"}, {"GET", "/filesystem", "404"},
		}},
		{"R04 precedence", []string{"/*", "/a/*", "/a/:x", "/a/b", "/:x/b", "/a/:x/c", "/a/b/d"}, []ask{
			{"GET", "/a/b", "/a/b"}, {"GET", "/a/z", "/a/:x"}, {"GET", "/a/z/z", "/a/*"}, {"GET", "/z/b", "/:x/b"}, {"GET", "/z/z", "/*"},
			{"GET", "/", "/*"}, {"GET", "/a/b/c", "/a/:x/c"}, {"GET", "/a/b/d", "/a/b/d"}, {"GET", "/a/b/e", "/a/*"}, {"GET", "/a/", "/a/*"},
		}},
		{"R05 no such method", []string{"GET /x", "POST /x", "PUT /:p", "DELETE /y/*"}, []ask{
			{"DELETE", "/x", "405 GET, HEAD, POST, PUT"}, {"PUT", "/x", "PUT /:p"}, {"GET", "/y", "405 PUT"}, {"HEAD", "/y/1", "405 DELETE"},
		}},
		{"R06 fallback", []string{"POST /x", "/*"}, []ask{{"GET", "/x", "/*"}, {"POST", "/x", "POST /x"}, {"GET", "/y", "/*"}, {"GET", "/y%20", "/*"}}},
		{"R07 nothing fits", []string{"GET /x"}, []ask{{"GET", "/y", "404"}, {"GET", "/x/y", "404"}}},
		{"R07 no routes", nil, []ask{{"GET", "/", "404"}, {"OPTIONS", "*", "404"}, {"CONNECT", "", "404"}}},
		{"R07 the server as a whole", []string{"GET /*", "OPTIONS /:p", "OPTIONS /"}, []ask{{"OPTIONS", "*", "404"}}},
		{"R07 the server as a whole, a wildcard", []string{"/*", "OPTIONS /:p", "OPTIONS /"}, []ask{{"OPTIONS", "*", "/*"}}},
		{"R08 slashes and lengths", []string{"GET /x", "GET /:p", "GET /a//b"}, []ask{
			{"GET", "/x", "GET /x"}, {"GET", "/x/", "404"}, {"GET", "//x", "404"}, {"GET", "/x//", "404"}, {"GET", "/a//b", "GET /a//b"},
			{"GET", "/a/b", "404"}, {"GET", long, "GET /:p"}, {"GET", strings.Repeat(long, 9), "414"},
			{"GET", "/x?" + strings.Repeat("q", 8189), "GET /x"}, {"GET", "/x?" + strings.Repeat("q", 8190), "414"},
		}},
		{"R09 escapes", []string{"GET /p/:a", "GET /caf%C3%A9", "GET /a%20b/c", "GET /%3Aid", "GET /x%2Fy", "GET /files/*", "GET /q%3Fq"}, []ask{
			{"GET", "/p/a%2Fb", "GET /p/:a"}, {"GET", "/p/a%2fb/c", "404"}, {"GET", "/p/%zz", "400"}, {"GET", "/p/%4", "400"}, {"GET", "/p/%", "400"},
			{"GET", "/p/%00", "400"}, {"GET", "/p/a\x00", "400"}, {"GET", "/nothing/%zz", "400"}, {"GET", "/p/a?%zz", "GET /p/:a"},
			{"GET", "/caf%c3%a9", "GET /caf%C3%A9"}, {"GET", "/caf\xc3\xa9", "GET /caf%C3%A9"}, {"GET", "/%61%20b/c", "GET /a%20b/c"},
			{"GET", "/:id", "GET /%3Aid"}, {"GET", "/x%2fy", "GET /x%2Fy"}, {"GET", "/x/y", "404"}, {"GET", "/x%252fy", "404"},
			{"GET", "/files/../etc/passwd", "GET /files/*"}, {"GET", "/files/%2e%2e/etc", "GET /files/*"}, {"GET", "/p/../p/a", "404"},
			{"GET", "/q?q", "404"}, {"GET", "/q%3Fq", "GET /q%3Fq"},
		}},
		{"R10 methods of one pattern", []string{"PUT /x/:id", "DELETE /x/:id", "HEAD /x/:id", "GET /x/:id", "PROPFIND /x/:id"}, []ask{
			{"PUT", "/x/1", "PUT /x/:id"}, {"DELETE", "/x/1", "DELETE /x/:id"}, {"HEAD", "/x/1", "HEAD /x/:id"}, {"GET", "/x/1", "GET /x/:id"},
			{"PROPFIND", "/x/1", "PROPFIND /x/:id"}, {"POST", "/x/1", "405 DELETE, GET, HEAD, PROPFIND, PUT"},
		}},
		{"a method of its own before any method", []string{"/x", "GET /x"}, []ask{{"GET", "/x", "GET /x"}, {"HEAD", "/x", "GET /x"}, {"POST", "/x", "/x"}}},
	} {
		for _, reversed := range []bool{false, true} {
			routes := c.routes
			if reversed {
				routes = nil
				for _, r := range c.routes {
					routes = append([]string{r}, routes...)
				}
			}
			r, name := newTestRouter(t, routes...)
			for _, a := range c.asks {
				if got := name(r.Match([]byte(a.method), []byte(a.target))); got != a.want {
					t.Errorf("%s (reversed: %v): %s %.80q: %q, want %q", c.name, reversed, a.method, a.target, got, a.want)
				}
			}
		}
	}
}

func TestC04C05RoutesThatAreNone(t *testing.T) {
	for _, c := range []struct{ method, pattern, want string }{
		{"GET POST", "/", `method "GET POST" is no token (RFC 9110, 9.1)`},
		{"GET\x00", "/", `method "GET\x00" is no token (RFC 9110, 9.1)`},
		{"", "", `the pattern is empty`},
		{"", "test", `pattern "test" does not begin with a slash`},
		{"", "*", `pattern "*" does not begin with a slash`},
		{"", "/a b", `pattern "/a b" holds a space or a control character`},
		{"", "/test\n", `pattern "/test\n" holds a space or a control character`},
		{"", "/a?b", `pattern "/a?b" holds a "?": the query is not matched`},
		{"", "/a#b", `pattern "/a#b" holds a "#": the query is not matched`},
		{"", "/:a/b/:a", `pattern "/:a/b/:a" names the parameter "a" twice`},
		{"", "/:", `pattern "/:": a parameter has no name`},
		{"", "/*/a", `pattern "/*/a": "*" must be the last segment`},
		{"", "/a*", `pattern "/a*": "*" must be a whole segment`},
		{"", "/:a*", `pattern "/:a*": "*" must be a whole segment`},
		{"", "/%zz", `pattern "/%zz": "%zz" is not percent-encoded text`},
		{"", "/%00", `pattern "/%00": "%00" is not percent-encoded text`},
		{"", "/" + strings.Repeat("p", 8192), `the pattern is 8193 bytes long, no path longer than 8192 is matched`},
	} {
		_, err := NewRouter().Add(c.method, c.pattern, 0, 0)
		var bad *sink.Error
		if !errors.As(err, &bad) || bad.Code != sink.ErrBadRoute || bad.Text != c.want {
			t.Errorf("%q %q: %v, want %s", c.method, c.pattern, err, c.want)
		}
	}
}

func TestRoutesRegisteredTwice(t *testing.T) {
	r, _ := newTestRouter(t, "GET /a/:x", "/a/:x", "/lit", "GET /w/*", "GET /1/:a", "GET /1%2F/x")
	for _, c := range []struct{ method, pattern, want string }{
		{"GET", "/a/:x", `pattern "/a/:x" is registered for GET already`},
		{"", "/a/:x", `pattern "/a/:x" is registered for any method already`},
		{"GET", "/a/:y", `pattern "/a/:y" matches the same paths as "/a/:x", which is registered for GET already`},
		{"", "/%6cit", `pattern "/%6cit" matches the same paths as "/lit", which is registered for any method already`},
		{"GET", "/w/*", `pattern "/w/*" is registered for GET already`},
		{"POST", "/a/:x", ""},
		{"GET", "/a/x", ""},
		{"GET", "/1//x", ""},
	} {
		_, err := r.Add(c.method, c.pattern, 0, 0)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
			t.Errorf("%q %q: %s, want %q", c.method, c.pattern, got, c.want)
		}
	}
}

// The precedence of the standard walk, written down as plainly as it can be, over random patterns and paths.
func TestR04PrecedenceAgainstAModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	texts := []string{"a", "b", "", ":p", "*"}
	for round := range 500 {
		r := NewRouter()
		var patterns [][]string
		for range 1 + rng.IntN(12) {
			var segments []string
			for range 1 + rng.IntN(4) {
				s := texts[rng.IntN(len(texts))]
				if s == ":p" {
					s += fmt.Sprint(len(segments))
				}
				if segments = append(segments, s); s == "*" {
					break
				}
			}
			if _, err := r.Add("", "/"+strings.Join(segments, "/"), 0, 0); err == nil {
				patterns = append(patterns, segments)
			}
		}
		for range 50 {
			var path []string
			for range 1 + rng.IntN(4) {
				path = append(path, []string{"a", "b", "c", ""}[rng.IntN(4)])
			}
			best := -1
			for i, p := range patterns {
				if fits(p, path) && (best < 0 || before(p, patterns[best])) {
					best = i
				}
			}
			m := r.Match([]byte("GET"), []byte("/"+strings.Join(path, "/")))
			if best < 0 && m.Status != 404 || best >= 0 && m.ID != uint32(best)+1 {
				t.Fatalf("round %d: patterns %q, path %q: %+v, want number %d", round, patterns, path, m, best+1)
			}
		}
	}
}

func fits(pattern, path []string) bool {
	for i, s := range pattern {
		switch {
		case s == "*":
			return i < len(path)
		case i >= len(path), s[:min(1, len(s))] == ":" && path[i] == "", s[:min(1, len(s))] != ":" && s != path[i]:
			return false
		}
	}
	return len(pattern) == len(path)
}

func before(a, b []string) bool {
	rank := func(s string) int { return strings.Index("?:*", (s + "?")[:1]) }
	for i := range min(len(a), len(b)) {
		ra, rb := max(rank(a[i]), 0), max(rank(b[i]), 0)
		if ra != rb {
			return ra < rb
		}
	}
	return false
}

func TestRoutesReplacedAndRemoved(t *testing.T) {
	r := NewRouter()
	add := func(method, pattern string, flags uint32, userData uint64) uint32 {
		t.Helper()
		id, err := r.Add(method, pattern, flags, userData)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	match := func() Match { return r.Match([]byte("GET"), []byte("/a/x")) }
	first := add("GET", "/a/:x", 0, 7)
	any := add("", "/a/:x", 0, 8)
	second := add("GET", "/a/:y", Replace|Buffered, 9)
	if got, want := match(), (Match{ID: second, Flags: Buffered, UserData: 9}); got != want {
		t.Errorf("replaced: %+v, want %+v", got, want)
	}
	if flags := r.Flags(); flags != Buffered {
		t.Errorf("flags %#x", flags)
	}
	if id := add("GET", "/a/:z", Remove, 0); id != second {
		t.Errorf("route %d removed, not %d", id, second)
	}
	if got := match(); got.ID != any {
		t.Errorf("removed: %+v, want route %d", got, any)
	}
	if third := add("GET", "/a/:x", Replace, 0); third == first || third == second || third == any {
		t.Errorf("number %d given out again", third)
	}
	add("GET", "/a/:x", Remove, 0)
	add("", "/a/:x", Remove, 0)
	if got := match(); got.Status != 404 {
		t.Errorf("nothing left: %+v", got)
	}
	_, err := r.Add("GET", "/a/:x", Remove, 0)
	if want := `pattern "/a/:x" is not registered for GET`; err == nil || err.Error() != want && !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestL04RoutesMayBeAddedWhileOthersAreMatched(t *testing.T) {
	r, name := newTestRouter(t, "GET /first")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if got := name(r.Match([]byte("GET"), []byte("/first"))); got != "GET /first" {
						t.Errorf("matched %q", got)
						return
					}
				}
			}
		})
	}
	for i := range 200 {
		pattern := fmt.Sprintf("/n/%d/:p", i)
		id, err := r.Add("GET", pattern, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if m := r.Match([]byte("GET"), fmt.Appendf(nil, "/n/%d/x", i)); m.ID != id {
			t.Fatalf("%s is not seen by the next request: %+v", pattern, m)
		}
	}
	close(stop)
	wg.Wait()
}

func TestMatchMakesNoGarbage(t *testing.T) {
	r, _ := newTestRouter(t, "GET /api/users", "GET /api/users/:id", "/files/*")
	get := []byte("GET")
	query, parameter, wildcard := []byte("/api/users?page=2"), []byte("/api/users/42"), []byte("/files/a/b/c")
	if n := testing.AllocsPerRun(100, func() {
		r.Match(get, query)
		r.Match(get, parameter)
		r.Match(get, wildcard)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	r := NewRouter()
	for i := range 100 {
		for _, pattern := range []string{"/api/v%d/users", "/api/v%d/users/:id", "/static/v%d/*"} {
			if _, err := r.Add("GET", fmt.Sprintf(pattern, i), 0, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, c := range []struct{ name, target string }{
		{"literal", "/api/v7/users"}, {"query", "/api/v7/users?page=2"}, {"parameter", "/api/v7/users/42"}, {"wildcard", "/static/v9/css/main.css"},
		{"escape", "/api/v7/users/a%40b.c"}, {"404", "/nothing/here"},
	} {
		b.Run(c.name, func(b *testing.B) {
			method, target := []byte("GET"), []byte(c.target)
			b.ReportAllocs()
			for b.Loop() {
				r.Match(method, target)
			}
		})
	}
}

// FuzzMatch: whatever the path, the outcome is one of the closed set, and the same for the path with every byte escaped.
func FuzzMatch(f *testing.F) {
	for _, path := range []string{"/", "/a/b", "/a/%2e%2e", "/files/x/y", "/p/%zz", "//", "/caf\xc3\xa9?x=%"} {
		f.Add(path)
	}
	r, name := newTestRouter(f, "GET /", "GET /a/b", "GET /p/:id", "GET /p/:id/q", "GET /files/*", "POST /caf%C3%A9")
	f.Fuzz(func(t *testing.T, path string) {
		got := name(r.Match([]byte("GET"), []byte(path)))
		switch got {
		case "400", "404", "405 POST", "414", "GET /", "GET /a/b", "GET /p/:id", "GET /p/:id/q", "GET /files/*":
		default:
			t.Fatalf("%q: %q", path, got)
		}
		if strings.ContainsAny(path, "%?\x00") || !strings.HasPrefix(path, "/") || len(path) > maxTarget/3 {
			return
		}
		var escaped strings.Builder
		for _, b := range []byte(path) {
			if b == '/' {
				escaped.WriteByte(b)
			} else {
				fmt.Fprintf(&escaped, "%%%02x", b)
			}
		}
		if again := name(r.Match([]byte("GET"), []byte(escaped.String()))); again != got {
			t.Fatalf("%q: %q, escaped: %q", path, got, again)
		}
	})
}
