package client

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// startPeer starts a program of tests/peers, a server of other make, and gives its port and the PEM text of its certificate. It is of a
// module of its own: see docs/architecture.md, Dependencies.
func startPeer(t testing.TB, name string) (port string, roots string) {
	t.Helper()
	folder := t.TempDir()
	program := filepath.Join(folder, name)
	build := exec.Command("go", "build", "-o", program, "./"+name)
	build.Dir = "../../tests/peers"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cert, text := certificate(t, nil)
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{"cert.pem": text, "key.pem": pemKey(der)} {
		if err := os.WriteFile(filepath.Join(folder, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(program, "-cert", filepath.Join(folder, "cert.pem"), "-key", filepath.Join(folder, "key.pem"))
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait() // fails, since it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scan := fmt.Sscanf(line, "ready %s", &port); err != nil || scan != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return port, string(text)
}

// F01, F02, K01: quic-go's http3 and webtransport-go as servers, in a process of their own.
func TestServersOfOtherMake(t *testing.T) {
	port, roots := startPeer(t, "plainwt")
	at := "good.test:" + port
	f := newFixture(t, `{"roots": `+jsonText(roots)+`, "hosts": {"good.test": "127.0.0.1"}}`)
	if a := f.get(at, "/"); a.end.Code != sink.OK || a.status != 200 || string(a.body) != "hello world" || !strings.Contains(a.fields, "content-type=text/plain") {
		t.Fatalf("%v", a)
	}
	const size = 5 << 20
	if a := f.get(at, "/bytes/"+strconv.Itoa(size)); a.end.Code != sink.OK || len(a.body) != size {
		t.Errorf("a download: %d bytes, %v", len(a.body), a.end)
	}
	if a := f.get(at, "/nothing"); a.end.Code != sink.OK || a.status != 404 {
		t.Errorf("%v", a)
	}
	if a := f.start(Request{Method: "HEAD", Authority: at, Path: "/", End: true}).wait(); a.end.Code != sink.OK || len(a.body) != 0 {
		t.Errorf("HEAD: %v", a)
	}
	if a := f.start(Request{Method: "POST", Authority: at, Path: "/upload", Body: sink.Chunk{Bytes: make([]byte, size)}, End: true}).wait(); string(a.body) != fmt.Sprintf(`{"bytes":%d}`, size) {
		t.Errorf("an upload: %v", a)
	}
	a := f.start(Request{Method: "POST", Authority: at, Path: "/upload"})
	for range 50 {
		a.do(func(x *Fetch) { x.Write(sink.Chunk{Bytes: make([]byte, 30_000)}) })
	}
	a.do(func(x *Fetch) { x.End(chunk("end")) })
	if a.wait(); string(a.body) != `{"bytes":1500003}` {
		t.Errorf("an upload in parts: %v", a)
	}
	a = f.start(Request{Method: "GET", Authority: at, Path: "/wait", End: true})
	eventually(t, "a request that waits", func() bool { return string(f.get(at, "/waiting").body) == "1" })
	a.do(func(x *Fetch) { x.Cancel(0x10c) })
	a.wait()
	eventually(t, "the server's handler has ended", func() bool { return string(f.get(at, "/waiting").body) == "0" })
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 1 {
		t.Errorf("%d connections", n)
	}

	w := f.want(SessionRequest{Authority: at, Path: "/echo"})
	w.wait(sink.EventSessionOpened)
	w.do(func(s *session.Session) { s.SendDatagram([]byte("ping"), 0) })
	if e := w.wait(sink.EventSessionDatagram); string(e.Data) != "ping" {
		t.Errorf("a datagram: %q", e.Data)
	}
	back := make(chan string, 1)
	f.Await(func() {
		h, text := f.Give(), ""
		f.on[h] = func(e event) {
			switch st, _ := f.Object(h).(*session.Stream); e.Type {
			case sink.EventStreamOpened:
				st.Write(chunk("hello"))
				st.End()
			case sink.EventStreamData:
				text += string(e.Data)
				if st != nil {
					st.Consumed(uint64(len(e.Data)))
				}
			case sink.EventStreamEnded:
				back <- fmt.Sprint(text, e.Code)
			}
		}
		f.Object(w.h).(*session.Session).OpenStream(h, false, true)
	})
	if got := within(t, "the stream's end", back); got != "hello0" {
		t.Errorf("a stream: %s", got)
	}
	w.do(func(s *session.Session) { s.CloseWith(7, "done") })
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.OK || e.Aux != 7 {
		t.Errorf("%+v", e.Event)
	}
}

// 1,000 fetches at once and as many one by one leave nothing behind.
func TestManyFetches(t *testing.T) {
	p := serve(t, "", buffered, echo)
	f := newFixture(t, `{"idle_connection_ms": 20, "max_connections_per_origin": 1}`)
	f.get(p.addr, "/")
	eventually(t, "no connection", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 0 })
	before := runtime.NumGoroutine()
	const n = 1000
	all := make([]*asked, 0, n)
	f.Await(func() {
		for i := range n {
			a := &asked{f: f, done: make(chan struct{})}
			f.begin(a, Request{Method: "POST", Authority: p.addr, Path: "/" + strconv.Itoa(i), Body: chunk(strconv.Itoa(i)), End: true})
			all = append(all, a)
		}
	})
	for i, a := range all {
		if a.wait(); a.end.Code != sink.OK || string(a.body) != strconv.Itoa(i) {
			t.Fatalf("fetch %d: %v", i, a)
		}
	}
	for i := range n {
		if a := f.get(p.addr, "/"+strconv.Itoa(i)); a.end.Code != sink.OK {
			t.Fatalf("fetch %d: %v", i, a)
		}
	}
	if reused, total := f.stats[sink.ClientStatFetchesReused].Load(), f.stats[sink.StatConnectionsTotal].Load(); reused+total != 2*n+1 {
		t.Errorf("%d fetches on a connection that was there, %d connections", reused, total)
	}
	eventually(t, "no connection", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 0 })
	if n := f.Live(); n != 0 {
		t.Errorf("%d handles are live", n)
	}
	eventually(t, "an empty pool", func() bool { // a connection is counted out a moment before its place is free
		p := &f.client.pool
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.origins)+len(p.conns)+p.live+p.queued+p.connections == 0
	})
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before+64+5; time.Sleep(10 * time.Millisecond) { // spares wait for work
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
