package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the suite "cli" gives: the folder of the programs of tests/peers, and a Python that has aioquic.
const (
	peersFolder = "H3_TEST_PEERS"
	peersPython = "H3_TEST_PYTHON"
)

// outside gives what a variable of these names, and skips the test without.
func outside(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skip(variable + " is not set: tests/run cli sets it")
	}
	return value
}

// peerServer starts a server of tests/peers with our certificate, and gives its address.
func peerServer(t *testing.T, name string) string {
	t.Helper()
	a := certificate(t)
	c := exec.CommandContext(t.Context(), filepath.Join(outside(t, peersFolder), name), "-cert", a.file, "-key", privateKey(t, a))
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		t.Fatalf("%s says %q: %v", name, line, err)
	}
	return "127.0.0.1:" + port
}

func TestPlainQuicGo(t *testing.T) {
	addr := peerServer(t, "plain")
	a := certificate(t)
	h3(t, "get", "--cacert", a.file, "https://"+addr+"/").want(t, 0, "hello world", "")
	if got := h3(t, "get", "--cacert", a.file, "https://"+addr+"/bytes/3000000"); got.exit != 0 || got.out != strings.Repeat("\x00", 3_000_000) {
		t.Errorf("exit %d, %d bytes: %s", got.exit, len(got.out), got.err)
	}
	h3With(t, strings.Repeat("x", 1_000_000), "get", "--cacert", a.file, "-XPOST", "-T-", "https://"+addr+"/upload").want(t, 0, `{"bytes":1000000}`, "")
	h3(t, "wt", "--cacert", a.file, "https://"+addr+"/echo").want(t, 110, "", "WebTransport")
	got := h3(t, "bench", "--cacert", a.file, "https://"+addr+"/", "-n", "50", "--json")
	if got.exit != 0 || !strings.Contains(got.out, `"requests":50,"failed":0,"first_failure":"","statuses":{"200":50}`) {
		t.Errorf("%v", got)
	}
}

func TestWebTransportGo(t *testing.T) {
	addr := peerServer(t, "plainwt")
	a := certificate(t)
	h3With(t, "one\ntwo\n", "wt", "--cacert", a.file, "https://"+addr+"/echo").want(t, 0, "one\ntwo\n", "")
	r := begin(t, "wt", "--datagrams", "--wait", "0", "--cacert", a.file, "https://"+addr+"/echo")
	for _, line := range []string{"first", "second"} {
		io.WriteString(r.in, line+"\n")
		r.await("(^|\n)" + regexp.QuoteMeta(line) + "\n")
	}
	r.in.Close()
	if exit := r.wait(); exit != 0 || r.written() != "first\nsecond\n" {
		t.Errorf("exit %d, %q", exit, r.written())
	}
	h3(t, "wt", "--cacert", a.file, "https://"+addr+"/nothing").want(t, 110, "", "the server has answered with status 404")
}

// An aioquic is its client, driven by lines of JSON (tests/aioquic/client.py).
type aioquic struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
	id  int
}

func newAioquic(t *testing.T) *aioquic {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	c := exec.CommandContext(ctx, outside(t, peersPython), "../../../tests/aioquic/client.py")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		c.Wait()
	})
	return &aioquic{t: t, in: in, out: bufio.NewReader(out)}
}

// do has it do something, and gives its answer.
func (a *aioquic) do(what string, arguments map[string]any) map[string]any {
	a.t.Helper()
	a.id++
	arguments["id"], arguments["do"] = a.id, what
	text, err := json.Marshal(arguments)
	if err != nil {
		a.t.Fatal(err)
	}
	fmt.Fprintf(a.in, "%s\n", text)
	line, err := a.out.ReadString('\n')
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(line), &answer)
	}
	if err != nil || answer["ok"] != true {
		a.t.Fatalf("%s: %v %q", what, err, line)
	}
	return answer
}

func TestAioquicAtServe(t *testing.T) {
	client := newAioquic(t)
	folder, _ := servedFolder(t)
	s := serving(t, folder)
	var port int
	fmt.Sscanf(s.addr, "127.0.0.1:%d", &port)
	conn := client.do("connect", map[string]any{"port": port})["conn"]
	for _, c := range []struct {
		method, path, field, value string
		want                       string
	}{
		{"GET", "/a.txt", "x", "y", "200 true hello"},
		{"GET", "/a.txt", "range", "bytes=1-2", "206 true el"},
		{"HEAD", "/big.bin", "x", "y", "200 true "},
		{"GET", "/a.txt", "if-none-match", tagOf(5), "304 true "},
		{"GET", "/../secret", "x", "y", "404 true 404 not found\n"},
		{"GET", "/%2e%2e/secret", "x", "y", "404 true 404 not found\n"},
	} {
		stream := client.do("request", map[string]any{"conn": conn, "headers": [][2]string{{":method", c.method}, {":scheme", "https"}, {":authority", s.addr}, {":path", c.path}, {c.field, c.value}}})["stream"]
		got := client.do("response", map[string]any{"conn": conn, "stream": stream})
		body, err := base64.StdEncoding.DecodeString(fmt.Sprint(got["body"]))
		if text := fmt.Sprint(got["status"], " ", got["ended"], " ", string(body)); err != nil || text != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, text, c.want)
		}
	}
}
