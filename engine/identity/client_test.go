package identity

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zigh3/engine/config"
)

// Authorities of a client's stand instead of the system's, or beside them.
func TestAuthorities(t *testing.T) {
	system, err := developmentCertificate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	own, err := developmentCertificate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	file := filepath.Join(t.TempDir(), "system.pem")
	if err := os.WriteFile(file, text(system.Leaf.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file) // Go looks once
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	for _, beside := range []bool{true, false} {
		roots, cert, err := LoadClient(&config.ClientOptions{Roots: string(text(own.Leaf.Raw)), SystemRoots: beside})
		if err != nil || cert != nil {
			t.Fatal(err)
		}
		for leaf, want := range map[*x509.Certificate]bool{own.Leaf: true, system.Leaf: beside} {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost"}); (err == nil) != want {
				t.Errorf("the system's beside: %v, believed: %v, want %v", beside, err, want)
			}
		}
	}
	if roots, _, err := LoadClient(&config.ClientOptions{SystemRoots: true}); err != nil || roots != nil {
		t.Errorf("the system's alone: %v, %v", roots, err)
	}
}
