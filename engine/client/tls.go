package client

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/identity"
	"zigh3/engine/sink"
)

const (
	// rememberedServers is of how many servers a client keeps what makes the next handshake shorter.
	rememberedServers = 256
	// rememberedTokens is how many address tokens of each.
	rememberedTokens = 4
	// pinnedValidity is the longest that a certificate may be valid which is believed for its hash (W3C WebTransport, "custom certificate
	// requirements").
	pinnedValidity = 14 * 24 * time.Hour
)

// configureTLS says whom the client believes.
func (c *Client) configureTLS() error {
	o := c.options
	roots, own, err := identity.LoadClient(o)
	if err != nil {
		return err
	}
	c.tls = &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: o.ALPN, RootCAs: roots, InsecureSkipVerify: o.Insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(rememberedServers),
	}
	if len(o.CertificateHashes) > 0 {
		c.tls.InsecureSkipVerify = true // what follows takes its place
		c.tls.VerifyConnection = func(s tls.ConnectionState) error {
			return checkPin(s.PeerCertificates, o.CertificateHashes, time.Now())
		}
	}
	if own != nil {
		c.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return nil
}

// tlsFor is what a connection to an origin is made with.
func (c *Client) tlsFor(key originKey) *tls.Config {
	t := c.tls.Clone()
	if t.ServerName = c.options.ServerName; t.ServerName == "" {
		t.ServerName = key.host
	}
	key.alone = 0
	t.ClientSessionCache = tickets{c.tls.ClientSessionCache, key.String()}
	return t
}

// quicFor is what QUIC is to do on a connection to an origin.
func (c *Client) quicFor(key originKey) *quic.Config {
	q := c.quic.Clone()
	key.alone = 0
	q.TokenStore = tokens{c.quic.TokenStore, key.String()}
	return q
}

// tokens are the address tokens of one origin: quic-go tells them apart by the name in the certificate alone, and nobody but the server that has
// given one out is to get it (RFC 9000, 8.1.3).
type tokens struct {
	all quic.TokenStore
	key string
}

// Pop implements quic.TokenStore.
func (t tokens) Pop(name string) *quic.ClientToken { return t.all.Pop(t.key + " " + name) }

// Put implements quic.TokenStore.
func (t tokens) Put(name string, token *quic.ClientToken) { t.all.Put(t.key+" "+name, token) }

// checkPin holds the certificates that a server shows against hashes, as the W3C wants it: of the first alone, which is valid now, was
// issued for two weeks at most, and has a key on an elliptic curve.
func checkPin(chain []*x509.Certificate, hashes [][sha256.Size]byte, now time.Time) error {
	if len(chain) == 0 {
		return &sink.Error{Code: sink.ErrPin, Text: "the server has shown no certificate"}
	}
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	key, elliptic := leaf.PublicKey.(*ecdsa.PublicKey)
	switch validity := leaf.NotAfter.Sub(leaf.NotBefore); {
	case !slices.Contains(hashes, sum):
		return &sink.Error{Code: sink.ErrPin, Text: fmt.Sprintf("the certificate's SHA-256 is %x, which is none of certificate_hashes", sum)}
	case !elliptic:
		return &sink.Error{Code: sink.ErrPin, Text: "a certificate that is believed for its hash must have an ECDSA key, not " + leaf.PublicKeyAlgorithm.String()}
	case key.Curve.Params().BitSize < 256:
		return &sink.Error{Code: sink.ErrPin, Text: "a certificate that is believed for its hash must have a key on P-256 or a larger curve, not " + key.Curve.Params().Name}
	case leaf.Version != 3:
		return &sink.Error{Code: sink.ErrPin, Text: fmt.Sprintf("a certificate that is believed for its hash must be X.509v3, not version %d", leaf.Version)}
	case validity > pinnedValidity:
		return &sink.Error{Code: sink.ErrPin, Text: fmt.Sprintf("a certificate that is believed for its hash may be valid for 14 days at most, not for %v", validity)}
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return &sink.Error{Code: sink.ErrExpired, Text: fmt.Sprintf("the certificate is valid from %v to %v", leaf.NotBefore, leaf.NotAfter)}
	}
	return nil
}
