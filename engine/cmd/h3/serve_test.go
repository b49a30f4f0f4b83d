package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"zigh3/engine/enginetest"
)

// modified is when the files of these tests were.
var modified = time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)

// served gives a folder with what these tests look for, and secrets around it.
func servedFolder(t *testing.T) (folder, outside string) {
	t.Helper()
	outside = t.TempDir()
	folder = filepath.Join(outside, "folder")
	place(t, filepath.Join(outside, "secret"), "secret")
	place(t, filepath.Join(folder, "a.txt"), "hello")
	place(t, filepath.Join(folder, "b c<.html"), "<p>")
	place(t, filepath.Join(folder, ".hidden"), "hidden")
	place(t, filepath.Join(folder, ".git/config"), "hidden")
	place(t, filepath.Join(folder, "sub/.inner"), "hidden")
	place(t, filepath.Join(folder, ".well-known/x"), "known")
	place(t, filepath.Join(folder, "sub/deep/file.json"), "{}")
	place(t, filepath.Join(folder, "page/index.html"), "<h1>index</h1>")
	place(t, filepath.Join(folder, "big.bin"), strings.Repeat("0123456789", 30_000))
	for _, link := range [][2]string{{"../secret", "link-out"}, {filepath.Join(outside, "secret"), "link-absolute"}, {"..", "link-folder"}, {"a.txt", "link-in"}, {"sub", "link-sub"}} {
		if err := os.Symlink(link[0], filepath.Join(folder, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.txt", "big.bin", "b c<.html", "sub", "page"} {
		if err := os.Chtimes(filepath.Join(folder, name), modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return folder, outside
}

// tagOf is the entity tag of a file of so many bytes.
func tagOf(size int) string { return fmt.Sprintf(`"%x-%x"`, size, modified.UnixNano()) }

func (s *served) dial() *enginetest.Client { return enginetest.Dial(s.t, s.addr, enginetest.Options{}) }

func TestNoPathLeadsOut(t *testing.T) {
	folder, outside := servedFolder(t)
	c := serving(t, folder).dial()
	for path, want := range map[string]string{
		"/a.txt":                       "200 hello",
		"/%61.txt":                     "200 hello",
		"/a.txt?x=/../secret":          "200 hello",
		"/link-in":                     "200 hello",
		"/link-sub/deep/file.json":     "200 {}",
		"/.well-known/x":               "200 known",
		"/page/":                       "200 <h1>index</h1>",
		"/../secret":                   "404",
		"/..":                          "404",
		"/sub/../../secret":            "404",
		"/sub/../a.txt":                "404",
		"/./a.txt":                     "404",
		"/%2e%2e/secret":               "404",
		"/%2E%2E%2Fsecret":             "404",
		"/..%2fsecret":                 "404",
		"/sub%2f..%2f..%2fsecret":      "404",
		"/%252e%252e/secret":           "404",
		"/..%5csecret":                 "404",
		"/..\\secret":                  "404",
		"//etc/passwd":                 "404",
		"/" + outside + "/secret":      "404",
		"/%2fetc%2fpasswd":             "404",
		"//secret":                     "404",
		"/sub//deep/file.json":         "404",
		"/a.txt%00.html":               "400", // the engine's own
		"/a%zz":                        "400",
		"/link-out":                    "404",
		"/link-absolute":               "404",
		"/link-folder/secret":          "404",
		"/link-folder/folder/a.txt":    "404",
		"/fifo":                        "404",
		"/a.txt/":                      "404",
		"/a.txt/b":                     "404",
		"/.hidden":                     "404",
		"/%2ehidden":                   "404",
		"/.git/config":                 "404",
		"/sub/.inner":                  "404",
		"/sub%2fdeep%2ffile.json":      "404",
		"/nothing":                     "404",
		"/" + strings.Repeat("x", 300): "404",
	} {
		got := c.Get(path)
		text := fmt.Sprint(got.Status)
		if got.Status == 200 {
			text += " " + string(got.Body)
		}
		if text != want || strings.Contains(string(got.Body), "secret") {
			t.Errorf("%s: %s, want %s", path, text, want)
		}
	}
	hidden := serving(t, folder, "--hidden").dial()
	for path, want := range map[string]string{"/.hidden": "200 hidden", "/.git/config": "200 hidden", "/sub/.inner": "200 hidden", "/../secret": "404 404 not found\n", "/.git/../a.txt": "404 404 not found\n"} {
		if got := hidden.Get(path); fmt.Sprintf("%d %s", got.Status, got.Body) != want {
			t.Errorf("--hidden: %s: %d %s, want %s", path, got.Status, got.Body, want)
		}
	}
}

func TestFoldersAreShown(t *testing.T) {
	folder, _ := servedFolder(t)
	for _, name := range []string{"sub", "page", ".well-known", "link-sub"} {
		if name != "link-sub" {
			os.Chtimes(filepath.Join(folder, name), modified, modified)
		}
	}
	s := serving(t, folder)
	c := s.dial()
	got := c.Get("/")
	const row = "<tr><td><a href=\"./%s\">%s</a><td align=\"right\">%s<td>2026-11-30 16:00:00\n"
	want := "<!doctype html>\n<meta charset=\"utf-8\">\n<title>/</title>\n<h1>/</h1>\n<table>\n" +
		fmt.Sprintf(row, "a.txt", "a.txt", "5") + fmt.Sprintf(row, "b%20c%3C.html", "b c&lt;.html", "3") + fmt.Sprintf(row, "big.bin", "big.bin", "300000") +
		fmt.Sprintf(row, "link-in", "link-in", "5") + fmt.Sprintf(row, "link-sub/", "link-sub/", "") + fmt.Sprintf(row, "page/", "page/", "") + fmt.Sprintf(row, "sub/", "sub/", "") + "</table>\n"
	if got.Status != 200 || got.Header.Get("content-type") != "text/html; charset=utf-8" || string(got.Body) != want {
		t.Errorf("%d %s\n%s\nwant\n%s", got.Status, got.Header.Get("content-type"), got.Body, want)
	}
	for path, want := range map[string]string{
		"/sub": "301 /sub/", "/sub?a=b": "301 /sub/?a=b", "/page": "301 /page/", "/sub/deep": "301 /sub/deep/", "/link-sub": "301 /link-sub/",
	} {
		if got := c.Get(path); fmt.Sprintf("%d %s", got.Status, got.Header.Get("location")) != want {
			t.Errorf("%s: %d %s, want %s", path, got.Status, got.Header.Get("location"), want)
		}
	}
	if got := c.Get("/sub/deep/"); !strings.Contains(string(got.Body), `<title>/sub/deep/</title>`) || !strings.Contains(string(got.Body), `<a href="../">../</a>`) {
		t.Errorf("%s", got.Body)
	}
	if got := c.Do("POST", "/a.txt", nil); got.Status != 405 || got.Header.Get("allow") != "GET, HEAD" {
		t.Errorf("POST: %d, allow %q", got.Status, got.Header.Get("allow"))
	}
	if got := serving(t, folder, "--no-listing").dial().Get("/sub/"); got.Status != 404 {
		t.Errorf("--no-listing: %d", got.Status)
	}
}

func TestFilesHaveTypesLengthsAndConditions(t *testing.T) {
	folder, _ := servedFolder(t)
	c := serving(t, folder).dial()
	date, later, before := "Mon, 30 Nov 2026 16:00:00 GMT", "Mon, 30 Nov 2026 16:00:01 GMT", "Mon, 30 Nov 2026 15:59:59 GMT"
	tag, big := tagOf(5), strings.Repeat("0123456789", 30_000)
	for _, x := range []struct {
		method, path string
		fields       []string
		want         string // status, content-type, content-length, content-range, etag, body
	}{
		{"GET", "/a.txt", nil, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"HEAD", "/a.txt", nil, "200|text/plain; charset=utf-8|5||" + tag + "|"},
		{"GET", "/sub/deep/file.json", nil, "200|application/json|2||*|{}"},
		{"GET", "/big.bin", nil, "200|application/octet-stream|300000||" + tagOf(300_000) + "|" + big},
		{"HEAD", "/big.bin", nil, "200|application/octet-stream|300000||" + tagOf(300_000) + "|"},
		{"HEAD", "/nothing", nil, "404|text/plain; charset=utf-8|14|||"},
		{"GET", "/a.txt", []string{"range", "bytes=1-3"}, "206|text/plain; charset=utf-8|3|bytes 1-3/5|" + tag + "|ell"},
		{"GET", "/a.txt", []string{"range", "bytes=1-"}, "206|text/plain; charset=utf-8|4|bytes 1-4/5|" + tag + "|ello"},
		{"GET", "/a.txt", []string{"range", "bytes=-2"}, "206|text/plain; charset=utf-8|2|bytes 3-4/5|" + tag + "|lo"},
		{"GET", "/a.txt", []string{"range", "bytes=-9"}, "206|text/plain; charset=utf-8|5|bytes 0-4/5|" + tag + "|hello"},
		{"GET", "/a.txt", []string{"range", "bytes=4-99"}, "206|text/plain; charset=utf-8|1|bytes 4-4/5|" + tag + "|o"},
		{"GET", "/a.txt", []string{"range", "bytes=5-"}, "416|text/plain; charset=utf-8|36|bytes */5|" + tag + "|416 requested range not satisfiable\n"},
		{"GET", "/a.txt", []string{"range", "bytes=-0"}, "416|text/plain; charset=utf-8|36|bytes */5|" + tag + "|416 requested range not satisfiable\n"},
		{"GET", "/a.txt", []string{"range", "bytes=3-1"}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"range", "bytes=0-1,3-4"}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"range", "lines=1-2"}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"range", "bytes=+1-2"}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"HEAD", "/a.txt", []string{"range", "bytes=1-3"}, "200|text/plain; charset=utf-8|5||" + tag + "|"},
		{"GET", "/big.bin", []string{"range", "bytes=100000-299998"}, "206|application/octet-stream|199999|bytes 100000-299998/300000|" + tagOf(300_000) + "|" + big[100_000:299_999]},
		{"GET", "/a.txt", []string{"range", "bytes=1-", "if-range", tag}, "206|text/plain; charset=utf-8|4|bytes 1-4/5|" + tag + "|ello"},
		{"GET", "/a.txt", []string{"range", "bytes=1-", "if-range", "W/" + tag}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"range", "bytes=1-", "if-range", date}, "206|text/plain; charset=utf-8|4|bytes 1-4/5|" + tag + "|ello"},
		{"GET", "/a.txt", []string{"range", "bytes=1-", "if-range", later}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"if-none-match", tag}, "304||||" + tag + "|"},
		{"GET", "/a.txt", []string{"if-none-match", `"x", W/` + tag}, "304||||" + tag + "|"},
		{"HEAD", "/a.txt", []string{"if-none-match", "*"}, "304||||" + tag + "|"},
		{"GET", "/a.txt", []string{"if-none-match", `"x"`, "if-modified-since", later}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"if-modified-since", date}, "304||||" + tag + "|"},
		{"GET", "/a.txt", []string{"if-modified-since", before}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"if-match", `"x"`}, "412|text/plain; charset=utf-8|24||" + tag + "|412 precondition failed\n"},
		{"GET", "/a.txt", []string{"if-match", "W/" + tag}, "412|text/plain; charset=utf-8|24||" + tag + "|412 precondition failed\n"},
		{"GET", "/a.txt", []string{"if-match", tag}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
		{"GET", "/a.txt", []string{"if-unmodified-since", before}, "412|text/plain; charset=utf-8|24||" + tag + "|412 precondition failed\n"},
		{"GET", "/a.txt", []string{"if-unmodified-since", date}, "200|text/plain; charset=utf-8|5||" + tag + "|hello"},
	} {
		got := c.Do(x.method, x.path, nil, x.fields...)
		h := got.Header
		tag := h.Get("etag")
		if strings.Contains(x.want, "|*|") {
			tag = "*"
		}
		text := fmt.Sprintf("%d|%s|%s|%s|%s|%s", got.Status, h.Get("content-type"), h.Get("content-length"), h.Get("content-range"), tag, got.Body)
		if text != x.want {
			t.Errorf("%s %s %q: %.200s, want %.200s", x.method, x.path, x.fields, text, x.want)
		}
		if got.Status < 400 && h.Get("accept-ranges") != "bytes" || got.Status == 200 && h.Get("last-modified") != date && tag != "*" {
			t.Errorf("%s %s %q: accept-ranges %q, last-modified %q", x.method, x.path, x.fields, h.Get("accept-ranges"), h.Get("last-modified"))
		}
	}
}

func TestServeWritesALineForEachRequest(t *testing.T) {
	folder, _ := servedFolder(t)
	s := serving(t, folder, "-v")
	s.get("/a.txt").want(t, 0, "hello", "")
	s.get("/nothing?\x41").want(t, 0, "404 not found\n", "")
	line := `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d 127\.0\.0\.1:\d+ GET "%s" %s, \d+\.\d ms\n`
	s.await(fmt.Sprintf(line, regexp.QuoteMeta("/a.txt"), "200, 5 bytes") + fmt.Sprintf(line, regexp.QuoteMeta("/nothing?A"), "404, 14 bytes"))
}

// An interrupted server lets what it has begun come to its end, and takes nothing more.
func TestServeEndsWhenItIsInterrupted(t *testing.T) {
	folder, _ := servedFolder(t)
	place(t, filepath.Join(folder, "large"), strings.Repeat("x", 8<<20))
	s := serving(t, folder, "--grace", "60")
	c := enginetest.Dial(t, s.addr, enginetest.Options{StreamWindow: 64 << 10, ConnWindow: 1 << 20}) // beside the stream GOAWAY has room
	r := c.OpenRequest()
	if err := r.SendRequest("GET", "/large"); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if got, err := r.ReadResponse(); err != nil || got.Status != 200 {
		t.Fatalf("%v %v", got, err)
	}
	s.signal(syscall.SIGINT)
	c.GoAway()
	r.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, r); n != 8<<20 || err != nil {
		t.Errorf("%d bytes came: %v", n, err)
	}
	if exit := s.wait(); exit != 0 {
		t.Errorf("exit %d: %s", exit, s.written())
	}
}

func TestServeCutsOffWhatLastsLonger(t *testing.T) {
	folder, _ := servedFolder(t)
	place(t, filepath.Join(folder, "large"), strings.Repeat("x", 8<<20))
	s := serving(t, folder, "--grace", "0.1")
	c := enginetest.Dial(t, s.addr, enginetest.Options{StreamWindow: 64 << 10, ConnWindow: 64 << 10})
	r := c.OpenRequest()
	if err := r.SendRequest("GET", "/large"); err != nil {
		t.Fatal(err)
	}
	if got, err := r.ReadResponse(); err != nil || got.Status != 200 {
		t.Fatalf("%v %v", got, err)
	}
	s.signal(syscall.SIGTERM)
	if exit := s.wait(); exit != 28 || !strings.Contains(s.written(), "requests were cut off after 100ms") {
		t.Errorf("exit %d: %s", exit, s.written())
	}
}

// A file that shrinks under way is no short success.
func TestServeResetsAFileThatShrinks(t *testing.T) {
	folder, _ := servedFolder(t)
	large := place(t, filepath.Join(folder, "large"), strings.Repeat("x", 8<<20))
	s := serving(t, folder)
	c := enginetest.Dial(t, s.addr, enginetest.Options{StreamWindow: 64 << 10, ConnWindow: 64 << 10})
	r := c.OpenRequest()
	if err := r.SendRequest("GET", "/large"); err != nil {
		t.Fatal(err)
	}
	if got, err := r.ReadResponse(); err != nil || got.Status != 200 {
		t.Fatalf("%v %v", got, err)
	}
	if err := os.Truncate(large, 4<<20); err != nil {
		t.Fatal(err)
	}
	r.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, r); n >= 8<<20 || err == nil || !strings.Contains(err.Error(), "258") && !strings.Contains(err.Error(), "0x102") {
		t.Errorf("%d bytes came: %v", n, err)
	}
}

func TestServeWithACertificateOfOnesOwn(t *testing.T) {
	folder, _ := servedFolder(t)
	a := certificate(t)
	key := privateKey(t, a)
	s := serving(t, folder, "--cert", a.file, "--key", key)
	h3(t, "get", "--cacert", a.file, s.url("/a.txt")).want(t, 0, "hello", "")
	if s.pin != a.pin {
		t.Errorf("the hash is %s, want %s", s.pin, a.pin)
	}
}
