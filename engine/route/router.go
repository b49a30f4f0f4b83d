package route

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// maxTarget is the longest :path, query included, that is looked at; a longer one is answered 414.
const maxTarget = 8 << 10

// Flags of a route; the values are those of enum zig_h3_route_flag.
const (
	Buffered     = 0x1 // bodies come whole, with their request
	Datagram     = 0x2 // its requests have datagrams
	WebTransport = 0x4 // it takes sessions

	// For Add alone: what becomes of a route of the same method that matches the same paths.
	Replace = 0x8  // the new one takes its place
	Remove  = 0x10 // it goes, and nothing takes its place
)

// A Router finds the route of a request by method and path. Literal segments go before parameters before the wildcard, whatever the
// order of registration; among the patterns that fit a path, the first in that order that has the method wins. So a "/*" for any
// method catches what more specific patterns have no method for.
//
// Add and Match may be called from any goroutine: Match reads a table that is never changed, and that the first Match after an Add
// builds anew.
type Router struct {
	table atomic.Pointer[routeTable] // nil: routes have changed

	mu     sync.Mutex
	routes []registration
	taken  map[string]string // method and pattern without parameter names -> pattern as registered
	lastID uint32
}

// A registration is what Add was told.
type registration struct {
	key      string // that of taken
	method   string // empty: any
	segments []segment
	endpoint endpoint
}

// An endpoint is where a request goes.
type endpoint struct {
	id       uint32
	flags    uint32
	userData uint64
}

// A Match is the outcome of Match. Status 0: found; 404, 405 (Allow says what there is), 400 or 414: to be answered so.
type Match struct {
	Status   int
	ID       uint32
	Flags    uint32
	UserData uint64
	Allow    string
}

// NewRouter makes a router without routes.
func NewRouter() *Router { return &Router{taken: make(map[string]string)} }

// Add registers a route and gives its number, the first one's being 1; with Replace or Remove among its flags it may take another's place or
// take one away. method "" stands for any. It fails with an *Error with ErrBadRoute.
func (r *Router) Add(method, pattern string, flags uint32, userData uint64) (id uint32, err error) {
	if method != "" && !wire.ConsistsOf([]byte(method), wire.InToken) {
		return 0, BadRoute("method %q is no token (RFC 9110, 9.1)", method)
	}
	segments, err := parsePattern(pattern)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	which := method
	if which == "" {
		which = "any method"
	}
	key := method + " " + shape(segments)
	other, taken := r.taken[key]
	switch {
	case flags&Remove != 0 && !taken:
		return 0, BadRoute("pattern %q is not registered for %s", pattern, which)
	case flags&Remove != 0:
		at := r.at(key)
		id = r.routes[at].endpoint.id
		r.routes = slices.Delete(r.routes, at, at+1)
		delete(r.taken, key)
		r.table.Store(nil)
		return id, nil
	case taken && flags&Replace == 0 && other == pattern:
		return 0, BadRoute("pattern %q is registered for %s already", pattern, which)
	case taken && flags&Replace == 0:
		return 0, BadRoute("pattern %q matches the same paths as %q, which is registered for %s already", pattern, other, which)
	}
	r.lastID++
	id = r.lastID
	added := registration{key, method, segments, endpoint{id, flags &^ Replace, userData}}
	if taken {
		r.routes[r.at(key)] = added
	} else {
		r.routes = append(r.routes, added)
	}
	r.taken[key] = pattern
	r.table.Store(nil)
	return id, nil
}

// at is the place of a route that there is.
func (r *Router) at(key string) int {
	return slices.IndexFunc(r.routes, func(r registration) bool { return r.key == key })
}

// Flags are those of all routes together.
func (r *Router) Flags() (flags uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.routes {
		flags |= r.routes[i].endpoint.flags
	}
	return flags
}

// Match finds the route of a request. It keeps nothing of its arguments.
func (r *Router) Match(method, target []byte) Match {
	if len(target) > maxTarget {
		return Match{Status: 414}
	}
	path := target
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		path = target[:i]
	}
	if bytes.IndexByte(path, 0) >= 0 {
		return Match{Status: 400}
	}
	table := r.table.Load()
	if table == nil {
		table = r.build()
	}
	if string(path) == "*" { // OPTIONS, about the server as a whole: what stands for all paths may answer
		if rest := table.root.rest; rest != nil {
			if e := rest.find(method); e != nil {
				return e.match()
			}
		}
		return Match{Status: 404}
	}
	if len(path) == 0 || path[0] != '/' {
		return Match{Status: 404} // CONNECT without a path
	}
	if bytes.IndexByte(path, '%') >= 0 {
		return table.matchEscaped(method, path)
	}
	if methods, ok := table.literal[string(path)]; ok {
		if e := methods.find(method); e != nil {
			return e.match()
		}
	}
	return table.walk(method, path, nil)
}

func (r *Router) build() *routeTable {
	r.mu.Lock()
	defer r.mu.Unlock()
	if table := r.table.Load(); table != nil {
		return table
	}
	table := newRouteTable(r.routes)
	r.table.Store(table)
	return table
}

func (e *endpoint) match() Match {
	return Match{ID: e.id, Flags: e.flags, UserData: e.userData}
}

// A segmentKind says what a segment of a pattern matches. The order is that of precedence.
type segmentKind uint8

const (
	literalSegment  segmentKind = iota // itself, after decoding
	paramSegment                       // one segment that is not empty
	wildcardSegment                    // the rest, also nothing
)

type segment struct {
	kind segmentKind
	text string // a literal, decoded, or a parameter's name
}

// parsePattern takes a pattern apart. Escapes in literals are decoded, as they are in paths: "/a%20b" matches what a client sends
// as such, and "/%3Aid" a colon.
func parsePattern(pattern string) ([]segment, error) {
	if pattern == "" {
		return nil, BadRoute("the pattern is empty")
	}
	if pattern[0] != '/' {
		return nil, BadRoute("pattern %q does not begin with a slash", pattern)
	}
	if len(pattern) > maxTarget {
		return nil, BadRoute("the pattern is %d bytes long, no path longer than %d is matched", len(pattern), maxTarget)
	}
	for _, b := range []byte(pattern) {
		switch {
		case b <= ' ' || b == 0x7f:
			return nil, BadRoute("pattern %q holds a space or a control character", pattern)
		case b == '?' || b == '#':
			return nil, BadRoute("pattern %q holds a %q: the query is not matched", pattern, string(b))
		}
	}
	parts := strings.Split(pattern[1:], "/")
	segments := make([]segment, 0, len(parts))
	names := make(map[string]bool)
	for i, part := range parts {
		switch {
		case part == "*":
			if i != len(parts)-1 {
				return nil, BadRoute("pattern %q: \"*\" must be the last segment", pattern)
			}
			segments = append(segments, segment{kind: wildcardSegment})
		case strings.Contains(part, "*"):
			return nil, BadRoute("pattern %q: \"*\" must be a whole segment", pattern)
		case strings.HasPrefix(part, ":"):
			name := part[1:]
			if name == "" {
				return nil, BadRoute("pattern %q: a parameter has no name", pattern)
			}
			if names[name] {
				return nil, BadRoute("pattern %q names the parameter %q twice", pattern, name)
			}
			names[name] = true
			segments = append(segments, segment{paramSegment, name})
		default:
			text, ok := unescape(nil, part)
			if !ok {
				return nil, BadRoute("pattern %q: %q is not percent-encoded text", pattern, part)
			}
			segments = append(segments, segment{literalSegment, string(text)})
		}
	}
	return segments, nil
}

// shape is the same text for all patterns that match the same paths.
func shape(segments []segment) string {
	var b strings.Builder
	for _, s := range segments {
		// Kinds are told apart by a control character, which no literal can hold unescaped; lengths keep decoded slashes apart.
		fmt.Fprintf(&b, "%d", s.kind)
		if s.kind == literalSegment {
			fmt.Fprintf(&b, "%d %s", len(s.text), s.text)
		}
	}
	return b.String()
}

// BadRoute is the failure of a pattern or method that cannot be registered.
func BadRoute(format string, args ...any) *sink.Error {
	return &sink.Error{Code: sink.ErrBadRoute, Text: fmt.Sprintf(format, args...)}
}

// unescape appends s with its percent escapes decoded, once. ok is false for an escape that is none, and for %00.
func unescape[T string | []byte](dst []byte, s T) (_ []byte, ok bool) {
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b == '%' {
			if i+2 >= len(s) {
				return dst, false
			}
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high < 0 || low < 0 || high|low == 0 {
				return dst, false
			}
			b = byte(high<<4 | low)
			i += 2
		}
		dst = append(dst, b)
	}
	return dst, true
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// allowed is the value of Allow for a set of methods: sorted, with HEAD wherever GET is.
func allowed(methods []string) string {
	if slices.Contains(methods, "GET") {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}
