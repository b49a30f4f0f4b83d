package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// asProgram has the test's own binary be the program, under the race detector as the tests are, unless builtProgram names one that was built.
const (
	asProgram    = "H3_TEST_AS_PROGRAM"
	builtProgram = "H3_TEST_PROGRAM"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds a wait for something that must come.
const patience = time.Minute

// An outcome is what a run of the program came to.
type outcome struct {
	out, err string
	exit     int
}

func (o outcome) String() string { return fmt.Sprintf("exit %d\n%s\nstderr: %s", o.exit, o.out, o.err) }

func program(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, cmp.Or(os.Getenv(builtProgram), os.Args[0]), args...)
	c.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0") // else a second goes by with each end
	return c
}

// h3 runs the program to its end.
func h3(t *testing.T, args ...string) outcome { return h3With(t, "", args...) }

// h3With does so with a standard input.
func h3With(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := program(ctx, args...)
	var out, err bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &err
	if e := c.Run(); c.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("h3 %s: %v\n%s%s", strings.Join(args, " "), e, out.String(), err.String())
	}
	return outcome{out.String(), err.String(), c.ProcessState.ExitCode()}
}

// want fails the test unless a run came to this. What it wrote to standard error is looked at only where err says something of it.
func (o outcome) want(t *testing.T, exit int, out, err string) {
	t.Helper()
	if o.exit != exit || o.out != out || !strings.Contains(o.err, err) {
		t.Errorf("exit %d, out %q, standard error %q; want %d, %q, %q", o.exit, o.out, o.err, exit, out, err)
	}
}

// A running is a program that has not ended.
type running struct {
	t     *testing.T
	c     *exec.Cmd
	in    io.WriteCloser
	mu    sync.Mutex
	more  *sync.Cond
	out   []byte // of both streams
	ended bool
	exit  chan int
}

func begin(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{t: t, c: program(t.Context(), args...), exit: make(chan int, 1)}
	r.more = sync.NewCond(&r.mu)
	var err error
	if r.in, err = r.c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	r.c.Stdout, r.c.Stderr = r, r
	if err := r.c.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		r.c.Wait() // the exit code says it
		r.mu.Lock()
		r.ended = true
		r.more.Broadcast()
		r.mu.Unlock()
		r.exit <- r.c.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		r.c.Process.Kill()
		<-waited
	})
	return r
}

// Write takes what the program writes.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = append(r.out, p...)
	r.more.Broadcast()
	return len(p), nil
}

// await waits until what was written matches, and gives the groups.
func (r *running) await(pattern string) []string {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.AfterFunc(patience, func() { r.more.Broadcast() })
	defer late.Stop()
	for begin := time.Now(); ; {
		r.mu.Lock()
		found := re.FindStringSubmatch(string(r.out))
		if found == nil && !r.ended && time.Since(begin) < patience {
			r.more.Wait()
			r.mu.Unlock()
			continue
		}
		out := string(r.out)
		r.mu.Unlock()
		if found == nil {
			r.t.Fatalf("%q did not come: %q", pattern, out)
		}
		return found
	}
}

func (r *running) written() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.out)
}

func (r *running) signal(s syscall.Signal) { r.c.Process.Signal(s) }

// wait waits for its end.
func (r *running) wait() int {
	r.t.Helper()
	select {
	case exit := <-r.exit:
		return exit
	case <-time.After(patience):
		r.t.Fatalf("the program does not end: %q", r.written())
		return 0
	}
}

// A served is h3 serve.
type served struct {
	*running
	addr, pin string
}

// serving begins h3 serve, and waits until it does.
func serving(t *testing.T, folder string, args ...string) *served {
	t.Helper()
	r := begin(t, append([]string{"serve", "-l", "127.0.0.1:0", folder}, args...)...)
	found := r.await(`at https://(127\.0\.0\.1:\d+)/\ncertificate SHA-256 ([0-9a-f]{64})\n`)
	return &served{r, found[1], found[2]}
}

func (s *served) url(path string) string { return "https://" + s.addr + path }

// get runs h3 get on a path.
func (s *served) get(path string, args ...string) outcome {
	s.t.Helper()
	return h3(s.t, append([]string{"get", "--pin", s.pin, s.url(path)}, args...)...)
}

// An authority is a certificate that is its own, for servers of another make.
type authority struct {
	pair tls.Certificate
	file string
	pin  string
}

var testAuthority = sync.OnceValues(func() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test's"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost", "one.test", "two.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "h3-test")
	if err != nil {
		return nil, err
	}
	a := &authority{pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file: filepath.Join(folder, "ca.pem")}
	sum := sha256.Sum256(der)
	a.pin = hex.EncodeToString(sum[:])
	return a, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
})

func certificate(t *testing.T) *authority {
	t.Helper()
	a, err := testAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// An origin is a server of another make: quic-go's http3.
type origin struct {
	t    *testing.T
	addr string
	*authority
}

func serveWith(t *testing.T, handler http.HandlerFunc) *origin {
	t.Helper()
	a := certificate(t)
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http3.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{a.pair}}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(conn)
	}()
	t.Cleanup(func() {
		server.Close()
		conn.Close()
		<-done
	})
	return &origin{t, conn.LocalAddr().String(), a}
}

func (o *origin) url(path string) string { return "https://" + o.addr + path }

// get runs h3 get on a path.
func (o *origin) get(path string, args ...string) outcome {
	o.t.Helper()
	return h3(o.t, append([]string{"get", "--cacert", o.file, o.url(path)}, args...)...)
}

// getWith does so with a standard input.
func (o *origin) getWith(stdin, path string, args ...string) outcome {
	o.t.Helper()
	return h3With(o.t, stdin, append([]string{"get", "--cacert", o.file, o.url(path)}, args...)...)
}

// place writes a file.
func place(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// contents is what is in a file.
func contents(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so", what)
		}
	}
}
