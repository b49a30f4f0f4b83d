package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// pemPair gives a development certificate for other names as PEM text.
func pemPair(t testing.TB, names ...string) (cert, key string) {
	t.Helper()
	c, err := developmentCertificate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 0 {
		c.Leaf.DNSNames = names
		der, err := x509.CreateCertificate(nil, c.Leaf, c.Leaf, c.Leaf.PublicKey, c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificate[0] = der
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestDevelopmentCertificate(t *testing.T) {
	before := time.Now()
	id, err := Load(&config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf := id.fallback.Leaf
	if id.Hash != sha256.Sum256(id.fallback.Certificate[0]) {
		t.Error("the hash is not that of the certificate")
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		t.Errorf("public key %T", leaf.PublicKey)
	}
	if d := leaf.NotAfter.Sub(leaf.NotBefore); d != 13*24*time.Hour || leaf.NotBefore.After(before) {
		t.Errorf("valid for %v from %v", d, leaf.NotBefore)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: pool}); err != nil {
		t.Error(err)
	}
	other, err := Load(&config.Options{})
	if err != nil || other.fallback.Leaf.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
		t.Errorf("a second certificate with the same serial number (%v)", err)
	}
}

func TestC07CertificatesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	cert, key := pemPair(t)
	_, otherKey := pemPair(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile := file("cert.pem", cert), file("key.pem", key)
	otherFile, garbage := file("other.pem", otherKey), file("garbage.pem", "no PEM at all")
	broken := file("broken.pem", strings.Replace(cert, "MII", "AAA", 1))
	brokenKey := file("broken.key", strings.Replace(key, "MI", "AA", 1))
	pkcs8 := file("pkcs8.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	older := file("older.key", cert+"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
	const encrypted = "it is encrypted, which is not supported: decrypt it first, with openssl pkey"
	huge := file("huge.pem", strings.Repeat("x", 1<<20+1))
	missing, fifo := filepath.Join(dir, "missing.pem"), filepath.Join(dir, "fifo.pem")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source config.CertificateSource
		want   string
	}{
		{config.CertificateSource{CertPath: missing, KeyPath: keyFile}, fmt.Sprintf("certificate file %q: no such file or directory", missing)},
		{config.CertificateSource{CertPath: certFile, KeyPath: missing}, fmt.Sprintf("key file %q: no such file or directory", missing)},
		{config.CertificateSource{CertPath: dir, KeyPath: keyFile}, fmt.Sprintf("certificate file %q: is a directory", dir)},
		{config.CertificateSource{CertPath: huge, KeyPath: keyFile}, fmt.Sprintf("certificate file %q: 1048577 bytes is too large for PEM", huge)},
		{config.CertificateSource{CertPath: "/dev/zero", KeyPath: keyFile}, `certificate file "/dev/zero": is no regular file`},
		{config.CertificateSource{CertPath: certFile, KeyPath: fifo}, fmt.Sprintf("key file %q: is no regular file", fifo)},
		{config.CertificateSource{CertPath: certFile}, "the key is missing: a certificate and its key belong together"},
		{config.CertificateSource{KeyPath: keyFile}, "the certificate is missing: a certificate and its key belong together"},
		{config.CertificateSource{CertPath: garbage, KeyPath: keyFile}, fmt.Sprintf("certificate file %q: failed to find any PEM data in certificate input", garbage)},
		{config.CertificateSource{CertPath: certFile, KeyPath: garbage}, fmt.Sprintf("key file %q: failed to find any PEM data in key input", garbage)},
		{config.CertificateSource{CertPath: broken, KeyPath: keyFile}, fmt.Sprintf("certificate file %q: x509: malformed certificate", broken)},
		{config.CertificateSource{CertPath: certFile, KeyPath: brokenKey}, fmt.Sprintf("key file %q: failed to parse private key", brokenKey)},
		{config.CertificateSource{CertPath: certFile, KeyPath: pkcs8}, fmt.Sprintf("key file %q: %s", pkcs8, encrypted)},
		{config.CertificateSource{CertPath: certFile, KeyPath: older}, fmt.Sprintf("key file %q: %s", older, encrypted)},
		{config.CertificateSource{CertPath: certFile, KeyPath: otherFile},
			fmt.Sprintf("certificate file %q and key file %q: they are not a pair: private key does not match public key", certFile, otherFile)},
		{config.CertificateSource{CertPath: keyFile, KeyPath: certFile}, fmt.Sprintf("certificate file %q: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched", keyFile)},
		{config.CertificateSource{Cert: "x", Key: key}, `the certificate in option "cert": failed to find any PEM data in certificate input`},
		{config.CertificateSource{CertPath: certFile, Key: "x", Option: "tls[2]."}, `the key in option "tls[2].key": failed to find any PEM data in key input`},
		{config.CertificateSource{Cert: cert, Key: otherKey}, `the certificate in option "cert" and the key in option "key": they are not a pair: private key does not match public key`},
	} {
		_, err := Load(&config.Options{Certificates: []config.CertificateSource{c.source}})
		var bad *sink.Error
		if !errors.As(err, &bad) || bad.Code != sink.ErrCertificate || bad.Text != c.want {
			t.Errorf("%+.60v: %v\nwant %s", c.source, err, c.want)
		}
	}
	id, err := Load(&config.Options{Certificates: []config.CertificateSource{{CertPath: certFile, Key: key}}})
	if err != nil || id.Hash != sha256.Sum256(id.fallback.Leaf.Raw) {
		t.Errorf("a pair that is one: %v", err)
	}
}

func TestCertificatesAreChosenByName(t *testing.T) {
	source := func(serverName string, names ...string) config.CertificateSource {
		cert, key := pemPair(t, names...)
		return config.CertificateSource{Cert: cert, Key: key, ServerName: serverName}
	}
	id, err := Load(&config.Options{Certificates: []config.CertificateSource{
		source("", "first.example", "both.example"), source("", "second.example", "both.example", "*.wild.example"), source("Named.Example", "other.example"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	config := id.TLSConfig()
	if config.MinVersion != tls.VersionTLS13 || len(config.NextProtos) != 1 || config.NextProtos[0] != "h3" {
		t.Errorf("version %#x, protocols %q", config.MinVersion, config.NextProtos)
	}
	for name, want := range map[string]string{
		"first.example": "first.example", "SECOND.example.": "second.example", "both.example": "first.example", "a.wild.example": "second.example",
		"a.b.wild.example": "first.example", "named.example": "other.example", "other.example": "first.example", "": "first.example",
	} {
		cert, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil || cert.Leaf.DNSNames[0] != want {
			t.Errorf("%q: %q, %v, want the one for %q", name, cert.Leaf.DNSNames, err, want)
		}
	}
}

// Behind a path there may be another file by the time that it is opened: what is read is a regular one, or it is refused, and nobody waits for
// a FIFO.
func TestAFileThatIsExchangedWhileItIsRead(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("regular"), []byte("PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(in("d"), 0o700); err != nil {
		t.Fatal(err)
	}
	long := dir + strings.Repeat("/d/..", 700) + "/path" // takes its time to be found: time for another file
	for _, name := range []string{"written", "alone"} {  // a FIFO that somebody writes to, or may, and one that nobody has open
		if err := syscall.Mkfifo(in(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writer, err := os.OpenFile(in("written"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	exchange := func(target string) error {
		if err := os.Symlink(target, in("next")); err != nil {
			return err
		}
		return os.Rename(in("next"), in("path"))
	}
	if err := exchange("regular"); err != nil {
		t.Fatal(err)
	}
	over, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			for _, target := range []string{"alone", "regular", "written", "regular"} {
				if err := exchange(target); err != nil {
					stopped <- err
					return
				}
			}
			select {
			case <-over:
				stopped <- nil
				return
			default:
			}
		}
	}()
	read := make(chan error, 1)
	go func() {
		for range 1000 {
			if text, err := readFile(long); err == nil && string(text) != "PEM" || err != nil && err.Error() != "is no regular file" {
				read <- fmt.Errorf("%q, %v", text, err)
				return
			}
		}
		read <- nil
	}()
	select {
	case err = <-read:
	case <-time.After(60 * time.Second):
		err = errors.New("it waits for a FIFO")
	}
	if err != nil {
		t.Error(err)
	}
	close(over)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
