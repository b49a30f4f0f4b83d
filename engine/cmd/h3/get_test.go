package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
)

// echo answers with what was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s type=%q length=%d x=%q auth=%q cookie=%q agent=%q accept=%q body=%q", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.ContentLength, r.Header.Get("X"),
		r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.Header.Get("User-Agent"), r.Header.Get("Accept"), body)
}

func TestGetSendsWhatItIsTold(t *testing.T) {
	o := serveWith(t, echo)
	file := place(t, filepath.Join(t.TempDir(), "file"), "of a file\n")
	for _, c := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{nil, "", `GET /x?q=1 type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body=""`},
		{[]string{"-X", "DELETE"}, "", `DELETE /x?q=1 type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body=""`},
		{[]string{"-H", "X: one", "-HUser-Agent: me", "-H", "accept:"}, "", `GET /x?q=1 type="" length=-1 x="one" auth="" cookie="" agent="me" accept="" body=""`},
		{[]string{"-d", "a=1", "-d", "b=2"}, "", `POST /x?q=1 type="application/x-www-form-urlencoded" length=7 x="" auth="" cookie="" agent="h3" accept="*/*" body="a=1&b=2"`},
		{[]string{"-d", "@" + file, "-H", "content-type: text/plain"}, "", `POST /x?q=1 type="text/plain" length=10 x="" auth="" cookie="" agent="h3" accept="*/*" body="of a file\n"`},
		{[]string{"-d", "@-"}, "typed", `POST /x?q=1 type="application/x-www-form-urlencoded" length=5 x="" auth="" cookie="" agent="h3" accept="*/*" body="typed"`},
		{[]string{"-T", file}, "", `PUT /x?q=1 type="" length=10 x="" auth="" cookie="" agent="h3" accept="*/*" body="of a file\n"`},
		{[]string{"-T", "-"}, "from standard input", `PUT /x?q=1 type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body="from standard input"`},
		{[]string{"-T-", "-XPATCH"}, "", `PATCH /x?q=1 type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body=""`},
	} {
		o.getWith(c.stdin, "/x?q=1", c.args...).want(t, 0, c.want, "")
	}
}

func TestGetWritesHeadsAndBodies(t *testing.T) {
	a := certificate(t)
	addr := rawServer(t, "h3", func(_ *quic.Conn, s *quic.Stream) {
		s.Write(enginetest.Headers(":status", "103", "link", "</a>"))
		s.Write(enginetest.Headers(":status", "200", "b", "1", "a", "2"))
		if _, err := io.ReadAll(s); err == nil {
			s.Write(enginetest.Frame(enginetest.FrameData, []byte("hello")))
			s.Write(enginetest.Headers("trailing", "yes"))
		}
		s.Close()
	})
	get := func(args ...string) outcome {
		t.Helper()
		return h3(t, append([]string{"get", "--cacert", a.file, "https://" + addr + "/"}, args...)...)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "out")
	const early, head = "HTTP/3 103\r\nlink: </a>\r\n\r\n", "HTTP/3 200\r\nb: 1\r\na: 2\r\n\r\n"
	get().want(t, 0, "hello", "")
	get("-i").want(t, 0, early+head+"hello", "")
	get("-io", file).want(t, 0, "", "")
	if got := contents(t, file); got != early+head+"hello" {
		t.Errorf("the file has %q", got)
	}
	get("-o", file).want(t, 0, "", "")
	if got := contents(t, file); got != "hello" || exists(file+".h3part") {
		t.Errorf("the file has %q, and notes beside it: %v", got, exists(file+".h3part"))
	}
	got := get("-v")
	const wanted = `^> GET /\n> host: %s\n> user-agent: h3\n> accept: \*/\*\n\* connected to %[1]s from \S+, h3; looked up in \d+\.\d ms, handshake of \d+\.\d ms\n` +
		`< HTTP/3 103\n< link: </a>\n< HTTP/3 200\n< b: 1\n< a: 2\n< trailers:\n< trailing: yes\n$`
	if !regexp.MustCompile(fmt.Sprintf(wanted, regexp.QuoteMeta(addr))).MatchString(got.err) || got.out != "hello" {
		t.Errorf("%v", got)
	}
}

func TestGetAsksWithHead(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
		io.WriteString(w, r.Method)
	})
	o.get("/", "-I").want(t, 0, "HTTP/3 200\r\ncontent-length: 5\r\n\r\n", "")
}

func TestGetCanFailForAStatus(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
		io.WriteString(w, "not here")
	})
	file := filepath.Join(t.TempDir(), "not")
	o.get("/404").want(t, 0, "not here", "")
	o.get("/399", "-f").want(t, 0, "not here", "")
	o.get("/400", "-f").want(t, 22, "", "h3: the server answered with status 400\n")
	if got := o.get("/404", "-fso", file); got.exit != 22 || got.err != "" {
		t.Errorf("%v", got)
	}
	if exists(file) {
		t.Error("a body that was not wanted was written")
	}
}

func TestGetUploadsMoreThanWaits(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})
	const size = 5<<20 + 1
	file := place(t, filepath.Join(t.TempDir(), "big"), strings.Repeat("x", size))
	o.get("/", "-T", file).want(t, 0, strconv.Itoa(size)+" <nil>", "")
	o.getWith(strings.Repeat("y", size), "/", "-T", "-").want(t, 0, strconv.Itoa(size)+" <nil>", "")
}

// A server that answers without reading the body has answered.
func TestGetTakesAnAnswerBeforeItsBodyHasLeft(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(413)
		io.WriteString(w, "too much")
	})
	file := place(t, filepath.Join(t.TempDir(), "big"), strings.Repeat("x", 8<<20))
	o.get("/", "-T", file).want(t, 0, "too much", "")
}

func TestGetFollowsRedirects(t *testing.T) {
	other := serveWith(t, echo)
	var requests atomic.Int64
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil {
			echo(w, r)
			return
		}
		to := map[string]string{"same": "/there", "other": other.url("/there"), "loop": r.URL.RequestURI(), "plain": "http://" + r.Host + "/", "bad": "https://["}[r.URL.Query().Get("to")]
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", to)
		w.WriteHeader(status)
		io.WriteString(w, "moved")
	})
	form := `type="application/x-www-form-urlencoded"`
	for _, c := range []struct {
		path  string
		args  []string
		stdin string
		exit  int
		out   string
		err   string
	}{
		{"/?status=302&to=same", nil, "", 0, "moved", ""},
		{"/?status=302&to=same", []string{"-L"}, "", 0, `GET /there type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body=""`, ""},
		{"/?status=301&to=same", []string{"-L", "-d", "a"}, "", 0, `GET /there type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body=""`, ""},
		{"/?status=303&to=same", []string{"-L", "-X", "PUT", "-d", "a"}, "", 0, `GET /there type="" length=-1 x="" auth="" cookie="" agent="h3" accept="*/*" body=""`, ""},
		{"/?status=302&to=same", []string{"-L", "-X", "PUT", "-d", "a"}, "", 0, `PUT /there ` + form + ` length=1 x="" auth="" cookie="" agent="h3" accept="*/*" body="a"`, ""},
		{"/?status=307&to=same", []string{"-L", "-d", "a", "-H", "authorization: b"}, "", 0, `POST /there ` + form + ` length=1 x="" auth="b" cookie="" agent="h3" accept="*/*" body="a"`, ""},
		{"/?status=308&to=other", []string{"-L", "-d", "a", "-H", "authorization: b", "-H", "cookie: c", "-H", "x: d"}, "", 0, `POST /there ` + form + ` length=1 x="d" auth="" cookie="" agent="h3" accept="*/*" body="a"`, ""},
		{"/?status=307&to=same", []string{"-L", "-T", "-"}, "body", 65, "", "can be read but once"},
		{"/?status=302&to=loop", []string{"-L"}, "", 47, "", "more than 20 redirects"},
		{"/?status=302&to=loop", []string{"-L", "--max-redirs", "3"}, "", 47, "", "more than 3 redirects"},
		{"/?status=302&to=plain", []string{"-L"}, "", 1, "", "HTTP/3 is for https"},
		{"/?status=302&to=bad", []string{"-L"}, "", 3, "", "the server redirects to"},
	} {
		t.Run(c.path+" "+strings.Join(c.args, " "), func(t *testing.T) {
			args := append([]string{"get", "--cacert", o.file, o.url(c.path)}, c.args...)
			h3With(t, c.stdin, args...).want(t, c.exit, c.out, c.err)
		})
	}
	requests.Store(0)
	if o.get("/?status=302&to=loop", "-L", "--max-redirs", "3"); requests.Load() != 4 {
		t.Errorf("%d requests with 3 redirects", requests.Load())
	}
	file := place(t, filepath.Join(t.TempDir(), "file"), "again")
	o.get("/?status=308&to=same", "-L", "-T", file).want(t, 0, `PUT /there type="" length=5 x="" auth="" cookie="" agent="h3" accept="*/*" body="again"`, "")
}

func TestGetFindsServersByResolve(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, " ", r.TLS.ServerName) })
	_, port, _ := strings.Cut(o.addr, ":")
	h3(t, "get", "--cacert", o.file, "--resolve", "one.test:1:"+o.addr, "https://one.test:1/").want(t, 0, "one.test:1 one.test", "")
	h3(t, "get", "--cacert", o.file, "--resolve", "two.test:"+port+":127.0.0.1", "two.test:"+port).want(t, 0, "two.test:"+port+" two.test", "")
	h3(t, "get", "--cacert", o.file, "--resolve", "three.test:"+port+":127.0.0.1", "https://three.test:"+port+"/").want(t, 60, "", "three.test")
	h3(t, "get", "--cacert", o.file, "--resolve", "three.test:"+port+":127.0.0.1", "--server-name", "one.test", "https://three.test:"+port+"/").want(t, 0, "three.test:"+port+" one.test", "")
	h3(t, "get", "-k", o.url("/")).want(t, 0, o.addr+" ", "")
	h3(t, "get", "--pin", o.pin, o.url("/")).want(t, 0, o.addr+" ", "")
	h3(t, "get", "--pin", strings.Repeat("0", 64), "--pin", strings.ToUpper(o.pin), o.url("/")).want(t, 0, o.addr+" ", "")
}

func TestGetWritesWhatIsForLookingInto(t *testing.T) {
	o := serveWith(t, func(http.ResponseWriter, *http.Request) {})
	folder := t.TempDir()
	keys := filepath.Join(folder, "keys")
	o.get("/", "--qlog", folder, "--keylog", keys).want(t, 0, "", "")
	if found, err := filepath.Glob(filepath.Join(folder, "*_client.sqlog")); err != nil || len(found) != 1 || !strings.Contains(contents(t, found[0]), "packet_sent") {
		t.Errorf("%q: %v", found, err)
	}
	if text := contents(t, keys); strings.Count(text, "CLIENT_TRAFFIC_SECRET_0 ") != 1 {
		t.Errorf("the secrets: %q", text)
	}
}

func TestGetReportsInJSON(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			http.Redirect(w, r, "/to", http.StatusFound)
			return
		}
		w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
		w.Header().Set("Content-Length", "5")
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	})
	type report struct {
		URL        string      `json:"url"`
		Method     string      `json:"method"`
		HTTP       string      `json:"http_version"`
		Status     int         `json:"status"`
		Fields     [][2]string `json:"headers"`
		Redirects  int         `json:"redirects"`
		Connection *struct {
			Remote     string
			Local      string
			ALPN       string
			ServerName string `json:"server_name"`
			Reused     bool
		} `json:"connection"`
		StreamID      int                `json:"stream_id"`
		BytesReceived int                `json:"bytes_received"`
		BytesSent     int                `json:"bytes_sent"`
		Times         map[string]float64 `json:"times_ms"`
		ExitCode      int                `json:"exit_code"`
		Error         string             `json:"error"`
		Message       string             `json:"message"`
	}
	parse := func(got outcome) (r report) {
		t.Helper()
		d := json.NewDecoder(strings.NewReader(got.out))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil || d.More() {
			t.Fatalf("no JSON, or more than that: %v\n%v", err, got)
		}
		return r
	}
	r := parse(o.get("/", "--json", "-d", "abc"))
	if r.URL != o.url("/") || r.Method != "POST" || r.HTTP != "3" || r.Status != 200 || fmt.Sprint(r.Fields) != "[[content-length 5]]" || r.Redirects != 0 || r.StreamID != 0 || r.BytesReceived != 5 ||
		r.BytesSent != 3 || r.ExitCode != 0 || r.Error != "ok" || r.Message != "" {
		t.Errorf("%+v", r)
	}
	if c := r.Connection; c == nil || c.Remote != o.addr || !strings.Contains(c.Local, ":") || c.ALPN != "h3" || c.ServerName != "" || c.Reused {
		t.Errorf("%+v", c)
	}
	if m := r.Times; len(m) != 5 || m["lookup"] < 0 || m["handshake"] <= 0 || m["connect"] < m["handshake"] || m["first_byte"] < m["connect"] || m["total"] < m["first_byte"] {
		t.Errorf("%v", m)
	}
	r = parse(o.get("/from", "--json", "-L"))
	if r.URL != o.url("/to") || r.Redirects != 1 || r.Connection == nil || !r.Connection.Reused || r.StreamID != 4 || r.Times["handshake"] != 0 {
		t.Errorf("%+v, %+v", r, r.Connection)
	}
	r = parse(h3(t, "get", "--json", o.url("/")))
	if r.ExitCode != 60 || r.Error != "certificate" || !strings.Contains(r.Message, "unknown authority") || r.Connection != nil || r.Status != 0 {
		t.Errorf("%+v", r)
	}
	file := filepath.Join(t.TempDir(), "out")
	if r = parse(o.get("/", "--json", "-o", file)); contents(t, file) != "hello" || r.BytesReceived != 5 {
		t.Errorf("%+v, the file has %q", r, contents(t, file))
	}
}
