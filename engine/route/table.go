package route

import (
	"bytes"
	"strings"
)

var slash = []byte("/")

// A routeTable is what Match reads; nothing in it changes once it is published.
type routeTable struct {
	literal map[string]*methodSet // whole paths of patterns without parameters, wildcards and escapes: the short way
	root    routeNode
}

// A routeNode is a place in the tree of segments. Each node is visited at most once in a match, because only one path of segments
// leads to it: backtracking costs no more than the patterns are long together.
type routeNode struct {
	literals map[string]*routeNode
	param    *routeNode
	leaf     *methodSet // patterns that end here
	rest     *methodSet // patterns that end here with a wildcard
}

// A methodSet is what one pattern does for which method.
type methodSet struct {
	methods   []methodEndpoint
	anyMethod *endpoint
}

type methodEndpoint struct {
	method   string
	endpoint endpoint
}

func newRouteTable(routes []registration) *routeTable {
	t := &routeTable{literal: make(map[string]*methodSet)}
	for i := range routes {
		t.add(&routes[i])
	}
	return t
}

func (t *routeTable) add(r *registration) {
	node := &t.root
	plain, path := true, ""
	end := &node.leaf
	for _, s := range r.segments {
		switch s.kind {
		case literalSegment:
			if node.literals == nil {
				node.literals = make(map[string]*routeNode)
			}
			next := node.literals[s.text]
			if next == nil {
				next = &routeNode{}
				node.literals[s.text] = next
			}
			node, end = next, &next.leaf
			// A decoded slash or percent sign cannot come unescaped in a path, so it must not be found there.
			plain = plain && !strings.ContainsAny(s.text, "/%?")
			path += "/" + s.text
		case paramSegment:
			if node.param == nil {
				node.param = &routeNode{}
			}
			node, end = node.param, &node.param.leaf
			plain = false
		case wildcardSegment:
			end = &node.rest
			plain = false
		}
	}
	if *end == nil {
		*end = &methodSet{}
	}
	(*end).add(r)
	if plain {
		t.literal[path] = *end
	}
}

func (s *methodSet) add(r *registration) {
	if r.method == "" {
		e := r.endpoint
		s.anyMethod = &e
		return
	}
	s.methods = append(s.methods, methodEndpoint{r.method, r.endpoint})
}

// find gives the endpoint for a method: its own, for HEAD that of GET, that of any method; else nil.
func (s *methodSet) find(method []byte) *endpoint {
	for i := range s.methods {
		if s.methods[i].method == string(method) {
			return &s.methods[i].endpoint
		}
	}
	if string(method) == "HEAD" {
		for i := range s.methods {
			if s.methods[i].method == "GET" {
				return &s.methods[i].endpoint
			}
		}
	}
	return s.anyMethod
}

// matchEscaped decodes each segment once, before it is compared. A decoded slash stays inside its segment.
func (t *routeTable) matchEscaped(method, path []byte) Match {
	// Segments are decoded into one buffer; where they end is kept apart, so that %2F splits nothing.
	decoded := make([]byte, 0, len(path))
	var ends []int
	for rest := path[1:]; ; {
		part, tail, more := bytes.Cut(rest, slash)
		var ok bool
		if decoded, ok = unescape(decoded, part); !ok {
			return Match{Status: 400}
		}
		ends = append(ends, len(decoded))
		if !more {
			break
		}
		rest = tail
	}
	return t.walk(method, decoded, ends)
}

// walk looks through the tree. ends nil: path is as it came, with its slashes; else its segments stand side by side and end there.
func (t *routeTable) walk(method, path []byte, ends []int) Match {
	w := routeWalk{method: method}
	if ends == nil {
		path = path[1:]
	}
	if e := w.node(&t.root, path, ends, 0); e != nil {
		return e.match()
	}
	if w.found {
		return Match{Status: 405, Allow: allowed(w.others)}
	}
	return Match{Status: 404}
}

// A routeWalk collects what the path has besides the method asked for.
type routeWalk struct {
	method []byte
	found  bool // a pattern fits the path
	others []string
}

// node looks for rest, whose first byte was at offset begin of the path, below n.
func (w *routeWalk) node(n *routeNode, rest []byte, ends []int, begin int) *endpoint {
	segment, tail, last := rest, []byte(nil), true
	var tailEnds []int
	if ends == nil {
		if i := bytes.IndexByte(rest, '/'); i >= 0 {
			segment, tail, last = rest[:i], rest[i+1:], false
		}
	} else {
		segment, tail, last = rest[:ends[0]-begin], rest[ends[0]-begin:], len(ends) == 1
		tailEnds, begin = ends[1:], ends[0]
	}
	for _, next := range [2]*routeNode{n.literals[string(segment)], n.param} {
		if next == nil || next == n.param && len(segment) == 0 {
			continue
		}
		var e *endpoint
		if last {
			e = w.set(next.leaf)
		} else {
			e = w.node(next, tail, tailEnds, begin)
		}
		if e != nil {
			return e
		}
	}
	return w.set(n.rest)
}

func (w *routeWalk) set(s *methodSet) *endpoint {
	if s == nil {
		return nil
	}
	e := s.find(w.method)
	if e == nil {
		w.found = true
		for i := range s.methods {
			w.others = append(w.others, s.methods[i].method)
		}
	}
	return e
}
