package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// Browsers accept a certificate by its hash only if it is valid for at most 14 days (serverCertificateHashes).
const developmentValidity = 13 * 24 * time.Hour

// maxPEMBytes bounds what is read from a certificate or key file.
const maxPEMBytes = config.Mib

// An Identity is the set of certificates that a server shows, by name.
type Identity struct {
	fallback *tls.Certificate // shown to whoever names no other
	byName   map[string]*tls.Certificate
	Hash     [32]byte // SHA-256 of the fallback's leaf
}

// Load reads and checks the certificates of o, or makes one for development where there are none. Failures are *Error with
// ErrCertificate that name the file and the reason.
func Load(o *config.Options) (*Identity, error) {
	id := &Identity{byName: make(map[string]*tls.Certificate)}
	if len(o.Certificates) == 0 {
		cert, err := developmentCertificate(time.Now())
		if err != nil {
			return nil, &sink.Error{Code: sink.ErrCertificate, Text: "making a development certificate: " + err.Error(), Err: err}
		}
		id.add(cert, "")
	}
	for i := range o.Certificates {
		cert, err := load(&o.Certificates[i])
		if err != nil {
			return nil, err
		}
		id.add(cert, o.Certificates[i].ServerName)
	}
	return id, nil
}

// add makes cert known for name, or for the names it was issued for. The first certificate for a name stays.
func (id *Identity) add(cert *tls.Certificate, name string) {
	if id.fallback == nil {
		id.fallback = cert
		id.Hash = sha256.Sum256(cert.Leaf.Raw)
	}
	names := cert.Leaf.DNSNames
	if name != "" {
		names = []string{name}
	}
	for _, n := range names {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		if _, taken := id.byName[n]; !taken {
			id.byName[n] = cert
		}
	}
}

// certificate chooses by the name the client asks for (SNI): the exact name, then a wildcard for its first label.
func (id *Identity) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if cert, ok := id.byName[name]; ok {
		return cert, nil
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if cert, ok := id.byName["*."+parent]; ok {
			return cert, nil
		}
	}
	return id.fallback, nil
}

// TLSConfig is what QUIC is served with. Resumption works; data before the handshake (0-RTT) does not, because it could be
// replayed: quic.Config leaves it off.
func (id *Identity) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{"h3"},
		GetCertificate: id.certificate,
	}
}

// load reads one pair.
func load(s *config.CertificateSource) (*tls.Certificate, error) {
	certName, certPEM, err := readPEM(s.Cert, s.CertPath, "certificate", s.Option+"cert")
	if err != nil {
		return nil, err
	}
	keyName, keyPEM, err := readPEM(s.Key, s.KeyPath, "key", s.Option+"key")
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err == nil {
		return &cert, nil
	}
	reason := strings.TrimPrefix(err.Error(), "tls: ")
	where := certName + " and " + keyName
	switch { // crypto/tls has no error values for these
	case strings.Contains(reason, "parse private key") && encrypted(keyPEM):
		where, reason = keyName, "it is encrypted, which is not supported: decrypt it first, with openssl pkey"
	case strings.Contains(reason, "does not match") || strings.Contains(reason, "type does not match"):
		reason = "they are not a pair: " + reason
	case strings.Contains(reason, "key") && !strings.Contains(reason, "certificate"), strings.Contains(reason, "in key input"):
		where = keyName
	default:
		where = certName
	}
	return nil, &sink.Error{Code: sink.ErrCertificate, Text: where + ": " + reason, Err: err}
}

// encrypted says whether the first private key in PEM text is (PKCS #8, or the older way by header fields).
func encrypted(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
		}
	}
	return false
}

// readPEM gives PEM text and what to call it in an error.
func readPEM(text, path, what, key string) (name string, pem []byte, err error) {
	if text != "" {
		return fmt.Sprintf("the %s in option %q", what, key), []byte(text), nil
	}
	if path == "" {
		return "", nil, &sink.Error{Code: sink.ErrCertificate, Text: fmt.Sprintf("the %s is missing: a certificate and its key belong together", what)}
	}
	name = fmt.Sprintf("%s file %q", what, path)
	if pem, err = readFile(path); err != nil {
		var op *fs.PathError
		reason := err
		if errors.As(err, &op) {
			reason = op.Err // without a second mention of the path
		}
		return "", nil, &sink.Error{Code: sink.ErrCertificate, Text: name + ": " + reason.Error(), Err: err}
	}
	return name, pem, nil
}

// readable says why a file is none of PEM.
func readable(info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a directory")
	case !info.Mode().IsRegular():
		return errors.New("is no regular file")
	case info.Size() > maxPEMBytes:
		return fmt.Errorf("%d bytes is too large for PEM", info.Size())
	}
	return nil
}

// readFile reads a file of PEM. What is no regular file is refused before it is opened, and again should it have come there since: a FIFO
// would never let go of who opens it, a device may have no end.
func readFile(path string) ([]byte, error) {
	if err := readable(os.Stat(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := readable(f.Stat()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPEMBytes+1))
	if err == nil && len(text) > maxPEMBytes {
		err = errors.New("has grown too large for PEM")
	}
	return text, err
}

// developmentCertificate makes a certificate for this machine's own names, such as browsers accept by its hash.
func developmentCertificate(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	begin := now.Add(-time.Hour) // for peers whose clocks are behind
	template := x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: "zig_h3 development"},
		NotBefore:             begin,
		NotAfter:              begin.Add(developmentValidity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
