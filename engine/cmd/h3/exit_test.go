package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/enginetest"
)

// rawServer takes connections of QUIC, and lets the test do what it likes with the first stream of each.
func rawServer(t *testing.T, protocol string, on func(c *quic.Conn, s *quic.Stream)) string {
	t.Helper()
	a := certificate(t)
	l, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.pair}, NextProtos: []string{protocol}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			running.Go(func() {
				control, err := c.OpenUniStream()
				if err == nil {
					control.Write(enginetest.Join(enginetest.Varints(enginetest.StreamControl), enginetest.Frame(enginetest.FrameSettings)))
				}
				if s, err := c.AcceptStream(c.Context()); err == nil {
					on(c, s)
				}
				<-c.Context().Done()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// Each exit code but that of a fault of the program's own.
func TestExitCodes(t *testing.T) {
	a := certificate(t)
	folder := t.TempDir()
	file := place(t, filepath.Join(folder, "file"), "hello")
	entered := make(chan struct{}, 1)
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "hello")
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/huge":
			for i := range 20 {
				w.Header().Set(fmt.Sprint("x-", i), strings.Repeat("x", 8000))
			}
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/again":
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		case "/500":
			w.WriteHeader(500)
		case "/hang":
			entered <- struct{}{}
			<-r.Context().Done()
		}
	})
	nobody, err := net.ListenPacket("udp4", "127.0.0.1:0") // who never answers
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	closed, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	broken := rawServer(t, "h3", func(_ *quic.Conn, s *quic.Stream) { s.Write([]byte{0, 1, 'x'}) }) // DATA first
	lost := rawServer(t, "h3", func(c *quic.Conn, _ *quic.Stream) { c.CloseWithError(0x102, "bye\x1b[2J") })
	strange := rawServer(t, "h4", func(*quic.Conn, *quic.Stream) {})
	sessions := serveSessions(t)

	get := func(args ...string) []string { return append([]string{"get", "--cacert", a.file}, args...) }
	seen := map[cli.Exit]bool{cli.Fault: true, cli.Interrupted: true}
	for _, c := range []struct {
		exit  cli.Exit
		args  []string
		stdin string
		err   string
	}{
		{cli.OK, get(o.url("/")), "", ""},
		{cli.OK, []string{"--help"}, "", ""},
		{cli.OK, []string{"get", "--help"}, "", ""},
		{cli.Scheme, get("http://" + o.addr + "/"), "", "HTTP/3 is for https, and http://" + o.addr + "/ is not"},
		{cli.Scheme, get("ftp://x/"), "", "HTTP/3 is for https"},
		{cli.Usage, nil, "", "no command"},
		{cli.Usage, []string{"put"}, "", `no command "put"`},
		{cli.Usage, []string{"get"}, "", "get takes 1 operand, not 0"},
		{cli.Usage, []string{"get", "a", "b"}, "", "get takes 1 operand, not 2"},
		{cli.Usage, get("--nonsense", o.url("/")), "", "not defined: -nonsense"},
		{cli.Usage, get(o.url("/"), "-o"), "", "needs an argument: -o"},
		{cli.Usage, get(o.url("/"), "-m", "soon"), "", "it takes seconds"},
		{cli.Usage, get(o.url("/"), "-H", "nothing"), "", "it takes 'Name: value'"},
		{cli.Usage, get(o.url("/"), "-H", "connection: close"), "", "connection"},
		{cli.Usage, get(o.url("/"), "-X", "NO METHOD"), "", "no method for a fetch"},
		{cli.Usage, get(o.url("/"), "-X", "CONNECT"), "", "CONNECT"},
		{cli.Usage, get(o.url("/"), "-d", "x", "-T", file), "", "-d and -T"},
		{cli.Usage, get(o.url("/"), "-C", "-"), "", "-o is missing"},
		{cli.Usage, get(o.url("/"), "--resolve", "nonsense"), "", "it takes HOST:PORT:ADDRESS"},
		{cli.Usage, []string{"get", "--pin", "00", o.url("/")}, "", "no SHA-256 in hexadecimal"},
		{cli.Usage, []string{"get", "-k", "--pin", a.pin, o.url("/")}, "", "contradict each other"},
		{cli.URL, get("https://"), "", "names no host"},
		{cli.URL, get("https://[::1/"), "", "missing ']'"},
		{cli.URL, get("https://user:secret@" + o.addr + "/"), "", "a user and a password"},
		{cli.Resolve, get("https://a..b/"), "", "cannot resolve"},
		{cli.Connect, get("https://" + closed.LocalAddr().String() + "/"), "", "ECONNREFUSED"},
		{cli.Truncated, get(o.url("/short")), "", "ended before the length"},
		{cli.Status, get("-f", o.url("/500")), "", "the server answered with status 500"},
		{cli.Output, get("-o", filepath.Join(folder, "no", "file"), o.url("/")), "", "no such file"},
		{cli.Output, get("-o", folder, o.url("/")), "", "is a directory"},
		{cli.Output, get("--qlog", file, o.url("/")), "", "qlog_path is no folder"},
		{cli.Output, get("--keylog", folder, o.url("/")), "", "key_log_path: "},
		{cli.Input, get("-T", filepath.Join(folder, "no"), o.url("/")), "", "no such file"},
		{cli.Input, get("-T", folder, o.url("/")), "", "is a folder"},
		{cli.Input, get("-d", "@"+filepath.Join(folder, "no"), o.url("/")), "", "no such file"},
		{cli.Input, []string{"serve", filepath.Join(folder, "no")}, "", "no such file"},
		{cli.Timeout, get("--connect-timeout", "0.3", "https://"+nobody.LocalAddr().String()+"/"), "", "no handshake in time"},
		{cli.Timeout, get("-m", "0.3", "https://"+nobody.LocalAddr().String()+"/"), "", "it took longer than 300ms"},
		{cli.Range, get("-C", "-", "-o", file, o.url("/")), "", "file.h3part, which would say of what, is not"},
		{cli.Range, get("-C", "100", "-o", file, o.url("/")), "", "has 5 bytes, not 100"},
		{cli.Range, get("-C", "2", "-o", file, o.url("/")), "", "the server gives no part: status 200"},
		{cli.Handshake, get("https://" + strange + "/"), "", "no application protocol"},
		{cli.Bind, []string{"serve", "-l", nobody.LocalAddr().String(), folder}, "", "EADDRINUSE"},
		{cli.Redirects, get("-L", o.url("/loop")), "", "more than 20 redirects"},
		{cli.Lost, get("https://" + lost + "/"), "", "h3: bye\ufffd[2J (0x102)\n"},
		{cli.Lost, get(o.url("/reset")), "", "the server has reset the stream (0x10"},
		{cli.Identity, []string{"serve", "--cert", file, "--key", file, folder}, "", "certificate"},
		{cli.Identity, get("--cert", file, "--key", file, o.url("/")), "", "file"},
		{cli.Certificate, []string{"get", o.url("/")}, "", "unknown authority"},
		{cli.TooLarge, get(o.url("/huge")), "", ""},
		{cli.Rewind, get("-L", "-T", "-", o.url("/again")), "x", "can be read but once"},
		{cli.Authorities, []string{"get", "--cacert", filepath.Join(folder, "no"), o.url("/")}, "", "no such file"},
		{cli.Authorities, []string{"get", "--cacert", file, o.url("/")}, "", "file"},
		{cli.Pin, []string{"get", "--pin", strings.Repeat("0", 64), o.url("/")}, "", a.pin},
		{cli.Protocol, get("https://" + broken + "/"), "", ""},
		{cli.Refused, []string{"wt", "--cacert", a.file, o.url("/")}, "", "WebTransport"},
		{cli.Refused, []string{"wt", "--pin", sessions.pin, sessions.url("/refuse")}, "", "the server has answered with status 403"},
		{cli.Closed, []string{"wt", "--pin", sessions.pin, sessions.url("/close")}, "x\n", `closed the session with code 7 and reason "bye"`},
		{cli.Closed, []string{"wt", "--pin", sessions.pin, sessions.url("/reset")}, "x\n", "has reset the stream with code 9"},
	} {
		seen[c.exit] = true
		t.Run(c.exit.Name()+" "+c.err, func(t *testing.T) {
			got := h3With(t, c.stdin, c.args...)
			if got.exit != int(c.exit) || !strings.Contains(got.err, c.err) || (got.err == "") != (c.exit == cli.OK) {
				t.Errorf("h3 %s\nwant exit %d and %q, got %v", strings.Join(c.args, " "), c.exit, c.err, got)
			}
		})
	}
	for _, e := range cli.Exits {
		if !seen[e.Exit] {
			t.Errorf("no case ends with %d, %s", e.Exit, e.Name)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		r := begin(t, get(o.url("/hang"))...)
		<-entered
		r.signal(s)
		if exit := r.wait(); exit != int(cli.Interrupted) || r.written() != "h3: interrupted\n" {
			t.Errorf("after %v: exit %d, %q", s, exit, r.written())
		}
	}
	if got := contents(t, file); got != "hello" {
		t.Errorf("a file was written that should not have been: %q", got)
	}
}

// What is written to a pipe that nobody reads fails, and says so.
func TestAPipeThatNobodyReads(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) })
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := program(ctx, "get", "--cacert", o.file, o.url("/"))
	c.Stdout = write
	c.Run()
	write.Close()
	if exit := c.ProcessState.ExitCode(); exit != int(cli.Output) {
		t.Errorf("exit %d, want %d", exit, cli.Output)
	}
}
