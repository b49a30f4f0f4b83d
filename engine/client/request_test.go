package client

import (
	"errors"
	"strings"
	"testing"

	"zigh3/engine/sink"
)

// Whose connections a request may share, or that nobody is at such a place: no name is looked up that is none.
func TestOriginOf(t *testing.T) {
	long := strings.Repeat("a123456789.", 23) // 253 bytes in front of the last dot
	long = long[:len(long)-1] + "b"
	for authority, want := range map[string]string{
		"H.Test": "h.test:443", "h.test.": "h.test.:443", "h:": "h:443", "h:8443": "h:8443", "_h-1~!": "_h-1~!:443", "127.0.0.1:1": "127.0.0.1:1",
		"[::1]": "[::1]:443", "[2001:DB8::A]:65535": "[2001:db8::a]:65535", "[::ffff:1.2.3.4]": "[::ffff:1.2.3.4]:443", long: long + ":443", long + ".": long + ".:443",
	} {
		if key, err := originOf(authority); err != nil || key.String() != want {
			t.Errorf("%q: %v, %v", authority, key, err)
		}
	}
	for _, authority := range []string{
		"", ":1", ".", ".:1", "h:0", "h:65536", "h:x", "h:1:2", "u@h", "[", "]", "[]", "[]:1", "[x]", "[x]:1", "[127.0.0.1]", "[::1", "::1", "[::1]x", "[[::1]]",
		"[fe80::1%25lo]", "[fe80::1%lo]", "[v1.x]", "h%41", "%", "h i", "h\ti", "h\x00i", "h\x7f", "h\xc3\xa4", "h<i", "h>i", "h^i", "h|i", "h\"i", "h\\i",
		"h/i", "h?i", "h#i", long + "c", long + "c.",
	} {
		key, err := originOf(authority)
		var told *sink.Error
		if !errors.As(err, &told) || told.Code != sink.ErrBadURL {
			t.Errorf("%q: %v, %v", authority, key, err)
		}
	}
}
