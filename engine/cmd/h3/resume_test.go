package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A flaky server gives a text that has a tag, cuts the first response once the client has so many bytes of it, and notes what it is asked.
type flaky struct {
	*origin
	mu    sync.Mutex
	text  string
	tag   string
	date  string // last-modified
	file  string // that the client writes
	cut   int    // 0: not
	asked []string
}

func newFlaky(t *testing.T, text, tag string) *flaky {
	f := &flaky{text: text, tag: tag, file: filepath.Join(t.TempDir(), "file")}
	f.origin = serveWith(t, f.serve)
	return f
}

func (f *flaky) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	text, tag, date, cut := f.text, f.tag, f.date, f.cut
	f.cut = 0
	f.asked = append(f.asked, strings.TrimSpace(r.Header.Get("Range")+" "+r.Header.Get("If-Range")))
	f.mu.Unlock()
	if tag != "" {
		w.Header().Set("Etag", tag)
	}
	if date != "" {
		w.Header().Set("Last-Modified", date)
	}
	if cut == 0 {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	io.WriteString(w, text[:cut])
	w.(http.Flusher).Flush()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if info, err := os.Stat(f.file); err == nil && info.Size() == int64(cut) {
			break
		}
	}
	panic(http.ErrAbortHandler)
}

// set changes what it does.
func (f *flaky) set(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
}

func (f *flaky) requests() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := strings.Join(f.asked, ", ")
	f.asked = nil
	return all
}

func TestADownloadGoesOnWhereItWasCut(t *testing.T) {
	const tag, date = `"v1"`, "Mon, 30 Nov 2026 16:00:00 GMT"
	text := strings.Repeat("0123456789", 20_000)
	for _, c := range []struct{ name, tag, date, validator string }{
		{"by its tag", tag, date, tag},
		{"by its date", "", date, date},
		{"by its date, its tag being weak", "W/" + tag, date, date},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFlaky(t, text, c.tag)
			f.set(func() { f.date, f.cut = c.date, 70_001 })
			f.get("/", "-o", f.file).want(t, 18, "", "70001 bytes of the body have come")
			if got := contents(t, f.file); got != text[:70_001] {
				t.Fatalf("%d bytes are there", len(got))
			}
			f.get("/", "-o", f.file, "-C", "-").want(t, 0, "", "")
			if got := contents(t, f.file); got != text {
				t.Errorf("%d bytes are there, or other ones", len(got))
			}
			if exists(f.file + ".h3part") {
				t.Error("the notes are still there")
			}
			if got, want := f.requests(), ", bytes=70001- "+c.validator; got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
		})
	}
}

func TestADownloadThatHasChangedBeginsAnew(t *testing.T) {
	f := newFlaky(t, strings.Repeat("old", 50_000), `"old"`)
	f.set(func() { f.cut = 70_000 })
	f.get("/", "-o", f.file).want(t, 18, "", "")
	f.set(func() { f.text, f.tag = strings.Repeat("new", 30_000), `"new"` })
	f.get("/", "-o", f.file, "-C", "-").want(t, 0, "", "")
	if got := contents(t, f.file); got != f.text {
		t.Errorf("%d bytes are there, which begin with %.3q", len(got), got)
	}
}

// One that ends early again goes on from there.
func TestADownloadIsCutTwice(t *testing.T) {
	text := strings.Repeat("0123456789", 20_000)
	f := newFlaky(t, text, `"v1"`)
	f.set(func() { f.cut = 70_000 })
	f.get("/", "-o", f.file).want(t, 18, "", "")
	part := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 70000-%d/%d", len(text)-1, len(text)))
		w.Header().Set("Content-Length", fmt.Sprint(len(text)-70_000))
		w.WriteHeader(206)
		io.WriteString(w, text[70_000:100_000])
	})
	_, port, _ := strings.Cut(f.addr, ":")
	h3(t, "get", "--cacert", f.origin.authority.file, "--resolve", "127.0.0.1:"+port+":"+part.addr, f.url("/"), "-o", f.file, "-C", "-").want(t, 18, "", "")
	if got := contents(t, f.file); len(got) < 70_000 || !strings.HasPrefix(text, got) { // what comes with the end is not the consumer's
		t.Fatalf("%d bytes are there, or other ones", len(got))
	}
	f.get("/", "-o", f.file, "-C", "-").want(t, 0, "", "")
	if got := contents(t, f.file); got != text {
		t.Errorf("%d bytes are there, or other ones", len(got))
	}
}

func TestWhatADownloadDoesNotGoOnWith(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"another part": func(w http.ResponseWriter) { w.Header().Set("Content-Range", "bytes 6-9/10"); w.WriteHeader(206) },
		"no part":      func(w http.ResponseWriter) { w.WriteHeader(206) },
		"of something else": func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 5-9/10")
			w.Header().Set("Etag", `"other"`)
			w.WriteHeader(206)
		},
		"an error":      func(w http.ResponseWriter) { w.WriteHeader(404) },
		"a shorter one": func(w http.ResponseWriter) { w.Header().Set("Content-Range", "bytes */4"); w.WriteHeader(416) },
	}
	folder := t.TempDir()
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			o := serveWith(t, func(w http.ResponseWriter, _ *http.Request) { answer(w); io.WriteString(w, "56789") })
			file := place(t, filepath.Join(folder, name), "01234")
			notes := fmt.Sprintf(`{"url":%q,"validator":"\"v1\""}`+"\n", o.url("/"))
			place(t, file+".h3part", notes)
			o.get("/", "-o", file, "-C", "-").want(t, 33, "", "")
			if got := contents(t, file); got != "01234" || contents(t, file+".h3part") != notes {
				t.Errorf("the file has %q now, its notes %q", got, contents(t, file+".h3part"))
			}
		})
	}
	o := serveWith(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes */5")
		w.WriteHeader(416)
	})
	file := place(t, filepath.Join(folder, "whole"), "01234")
	place(t, file+".h3part", fmt.Sprintf(`{"url":%q,"validator":"\"v1\""}`, o.url("/")))
	o.get("/", "-o", file, "-C", "-").want(t, 0, "", "")
	if got := contents(t, file); got != "01234" || exists(file+".h3part") {
		t.Errorf("a file that was whole has %q, and notes: %v", got, exists(file+".h3part"))
	}
	place(t, file+".h3part", `{"url":"https://other.test/","validator":"\"v1\""}`)
	o.get("/", "-o", file, "-C", "-").want(t, 33, "", "is a part of https://other.test/")
}

func TestANumberIsTakenAtItsWord(t *testing.T) {
	f := newFlaky(t, "0123456789", `"v1"`)
	place(t, f.file, "01234xyz")
	f.get("/", "-o", f.file, "-C", "5").want(t, 0, "", "")
	if got := contents(t, f.file); got != "0123456789" {
		t.Errorf("the file has %q", got)
	}
	if got := f.requests(); got != "bytes=5-" {
		t.Errorf("asked for %q", got)
	}
}
