package get

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
)

// notesSuffix is behind the name of a file that notes stand beside.
const notesSuffix = ".h3part"

// notes say of what a file is a part. They stand beside it as long as it is one.
type notes struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // a strong entity tag, or a date
}

// A resume is what there is of a download.
type resume struct {
	url      string
	path     string // of the notes; empty: there is no file that they could be beside
	wanted   bool   // -C
	trusting bool   // with a number
	from     int64
	notes    notes
	complete bool // all of it was there
	noted    bool // the notes are there
}

// open looks what there is.
func (r *resume) open(o *options, target *peer.Target) error {
	r.url, r.wanted = target.String(), o.from != ""
	if o.output == "" {
		return nil
	}
	r.path = o.output + notesSuffix
	if !r.wanted {
		return nil
	}
	info, err := os.Stat(o.output)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return cli.Fail(cli.Input, "%v", err)
	case err == nil && !info.Mode().IsRegular():
		return cli.Fail(cli.Range, "%s is no regular file", o.output)
	}
	size := int64(0)
	if err == nil {
		size = info.Size()
	}
	if o.from != "-" {
		r.from, _ = strconv.ParseInt(o.from, 10, 64) // setContinue has checked it
		r.trusting = true
		if r.from > size {
			return cli.Fail(cli.Range, "%s has %d bytes, not %d", o.output, size, r.from)
		}
		return nil
	}
	if r.from = size; size == 0 {
		return nil
	}
	text, err := os.ReadFile(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cli.Fail(cli.Range, "%s is there, and %s, which would say of what, is not: -C %d goes on with it all the same", o.output, r.path, size)
	case err != nil:
		return cli.Fail(cli.Input, "%v", err)
	case json.Unmarshal(text, &r.notes) != nil || r.notes.Validator == "":
		return cli.Fail(cli.Range, "%s does not say of what %s is a part: -C %d goes on with it all the same", r.path, o.output, size)
	case r.notes.URL != r.url:
		return cli.Fail(cli.Range, "%s is a part of %s", o.output, r.notes.URL)
	}
	r.noted = true
	return nil
}

// fields are what the request has for it.
func (r *resume) fields() (f peer.Fields) {
	if r.from == 0 {
		return nil
	}
	f = peer.Fields{{Name: "range", Value: fmt.Sprintf("bytes=%d-", r.from)}}
	if r.notes.Validator != "" {
		f = append(f, peer.Field{Name: "if-range", Value: r.notes.Validator})
	}
	return f
}

// begin opens the output for a response. whole says that all of it has come.
func (r *resume) begin(a *answer, w *output, whole bool) error {
	from := r.from
	switch {
	case from == 0:
	case a.status == 206:
		first, ok := firstOf(a.fields.Get("content-range"))
		if !ok || first != from {
			return cli.Fail(cli.Range, "the server gives another part: content-range: %s", a.fields.Get("content-range"))
		}
		if v := validator(a.fields); r.notes.Validator != "" && v != "" && v != r.notes.Validator {
			return cli.Fail(cli.Range, "the server gives a part of something else: %s, not %s", v, r.notes.Validator)
		}
	case a.status == 416 && a.fields.Get("content-range") == fmt.Sprintf("bytes */%d", from):
		r.complete = true
		return nil
	case a.status == 200 && !r.trusting: // it has changed, or there are no parts of it
		from = 0
	default:
		return cli.Fail(cli.Range, "the server gives no part: status %d", a.status)
	}
	if v := validator(a.fields); r.path != "" && a.status/100 == 2 && !whole && v != "" {
		r.notes = notes{URL: r.url, Validator: v}
		text, err := json.Marshal(&r.notes)
		if err == nil {
			err = os.WriteFile(r.path, append(text, '\n'), 0o666)
		}
		if err != nil {
			return cli.Fail(cli.Output, "%v", err)
		}
		r.noted = true
	}
	return w.open(from)
}

// close takes the notes away once all is there.
func (r *resume) close(well bool, w *output) error {
	if !well || !r.noted {
		return nil
	}
	if err := os.Remove(r.path); err != nil {
		return cli.Fail(cli.Output, "%v", err)
	}
	return nil
}

// validator is what If-Range can name a response by; empty: nothing.
func validator(fields peer.Fields) string {
	if tag := fields.Get("etag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return fields.Get("last-modified")
}

// firstOf is where the part of a Content-Range begins.
func firstOf(value string) (int64, bool) {
	value, ok := strings.CutPrefix(value, "bytes ")
	first, _, cut := strings.Cut(value, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	return n, ok && cut && err == nil
}

// lengthOf is the content-length among fields, -1 if there is none.
func lengthOf(fields peer.Fields) int64 {
	if n, err := strconv.ParseInt(fields.Get("content-length"), 10, 64); err == nil {
		return n
	}
	return -1
}
