package serve

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// mostListed is how many names are shown of a folder.
const mostListed = 10_000

// A listed is one of them.
type listed struct {
	name     string // with a slash behind a folder's
	size     int64
	modified time.Time
}

// list makes a page of what is in a folder.
func (f *folder) list(requested, name string, dir *os.File) ([]byte, error) {
	entries, err := dir.ReadDir(mostListed + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	more := len(entries) > mostListed
	var all []listed
	for _, entry := range entries[:min(len(entries), mostListed)] {
		if !f.o.hidden && strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		info, err := entry.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			info, err = f.root.Stat(path.Join(name, entry.Name())) // one that leads out of the folder is not shown
		}
		switch {
		case err != nil:
		case info.IsDir():
			all = append(all, listed{name: entry.Name() + "/", modified: info.ModTime()})
		case info.Mode().IsRegular():
			all = append(all, listed{entry.Name(), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.name, b.name) })
	requested, _, _ = strings.Cut(requested, "?")
	title := requested
	if text, err := url.PathUnescape(requested); err == nil {
		title = text
	}
	var page bytes.Buffer
	fmt.Fprintf(&page, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<h1>%s</h1>\n<table>\n", html.EscapeString(title), html.EscapeString(title))
	if requested != "/" {
		page.WriteString("<tr><td><a href=\"../\">../</a>\n")
	}
	for _, one := range all {
		size := ""
		if !strings.HasSuffix(one.name, "/") {
			size = fmt.Sprint(one.size)
		}
		// The "./" keeps a name with a colon from being taken for a scheme.
		fmt.Fprintf(&page, "<tr><td><a href=\"./%s\">%s</a><td align=\"right\">%s<td>%s\n", html.EscapeString((&url.URL{Path: one.name}).EscapedPath()), html.EscapeString(one.name), size,
			one.modified.UTC().Format(time.DateTime))
	}
	page.WriteString("</table>\n")
	if more {
		fmt.Fprintf(&page, "<p>There are more than %d names.\n", mostListed)
	}
	return page.Bytes(), nil
}
