package serve

import (
	"strconv"
	"strings"
)

// parseRange reads a Range field for a file of size bytes. ok is false for what is not looked at: other units, malformed ones, several parts,
// all of which may be answered with all of it (RFC 9110, 14.2). length is 0 for a part that there is not.
func parseRange(value string, size int64) (from, length int64, ok bool) {
	spec, ok := strings.CutPrefix(value, "bytes=")
	if !ok {
		return 0, 0, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, 0, false
	}
	if first == "" {
		n, ok := position(last)
		if !ok {
			return 0, 0, false
		}
		n = min(n, size)
		return size - n, n, true
	}
	from, ok = position(first)
	if !ok {
		return 0, 0, false
	}
	end := size - 1
	if last != "" {
		n, ok := position(last)
		if !ok || n < from {
			return 0, 0, false
		}
		end = min(end, n)
	}
	if from >= size {
		return 0, 0, true
	}
	return from, end - from + 1, true
}

// position reads digits, and nothing else.
func position(text string) (int64, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
