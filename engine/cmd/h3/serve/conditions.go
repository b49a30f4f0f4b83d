package serve

import (
	"net/http"
	"strings"
	"time"

	"zigh3/engine/cmd/h3/peer"
)

// A version is that of a file: what conditions are about.
type version struct {
	tag      string // strong
	modified time.Time
}

// check gives 304 or 412 if a request's conditions ask for that, else 0, in the order of RFC 9110, 13.2.2. If-Range is inRange's.
func (v *version) check(request peer.Fields) int {
	switch {
	case request.Has("if-match"):
		if !v.among(request, "if-match", false) {
			return 412
		}
	case request.Has("if-unmodified-since"):
		if t, err := http.ParseTime(request.Get("if-unmodified-since")); err == nil && v.modified.After(t) {
			return 412
		}
	}
	switch {
	case request.Has("if-none-match"):
		if v.among(request, "if-none-match", true) {
			return 304
		}
	case request.Has("if-modified-since"):
		if t, err := http.ParseTime(request.Get("if-modified-since")); err == nil && !v.modified.After(t) {
			return 304
		}
	}
	return 0
}

// among reports whether the lists of entity tags in a field have the version's. weakly says that a weak tag is as good as a strong one.
func (v *version) among(request peer.Fields, name string, weakly bool) bool {
	for _, f := range request {
		if f.Name != name {
			continue
		}
		for rest := f.Value; rest != ""; {
			rest = strings.TrimLeft(rest, " \t,")
			if strings.HasPrefix(rest, "*") {
				return true
			}
			tag, weak := strings.CutPrefix(rest, "W/")
			if !strings.HasPrefix(tag, `"`) {
				break
			}
			end := strings.IndexByte(tag[1:], '"')
			if end < 0 {
				break
			}
			if tag[:end+2] == v.tag && (weakly || !weak) {
				return true
			}
			rest = tag[end+2:]
		}
	}
	return false
}

// inRange reports whether If-Range, if there is one, lets a part be given.
func (v *version) inRange(request peer.Fields) bool {
	value := request.Get("if-range")
	if value == "" || value == v.tag {
		return true
	}
	t, err := http.ParseTime(value)
	return err == nil && t.Equal(v.modified)
}
