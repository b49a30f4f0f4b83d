package serve

import (
	"net/url"
	"strings"
)

// nameOf is the name below the folder that a request's path asks for, "." for the folder itself. folder says that it ends in a slash. ok is
// false for one that names nothing: with an escape that is none, an empty segment, a dot segment, or a slash or a zero within a segment.
func nameOf(path string, hidden bool) (name string, folder, ok bool) {
	path, _, _ = strings.Cut(path, "?")
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", false, false
	}
	if rest == "" {
		return ".", true, true
	}
	rest, folder = strings.CutSuffix(rest, "/")
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		text, err := url.PathUnescape(segment)
		if err != nil || text == "" || text == "." || text == ".." || strings.ContainsAny(text, "/\x00") || !hidden && text[0] == '.' && text != ".well-known" {
			return "", false, false
		}
		segments[i] = text
	}
	return strings.Join(segments, "/"), folder, true
}

// slashed is a path as it came, with a slash behind it, and its query.
func slashed(path string) string {
	path, query, has := strings.Cut(path, "?")
	if path += "/"; has {
		path += "?" + query
	}
	return path
}
