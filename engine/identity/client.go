package identity

import (
	"crypto/tls"
	"crypto/x509"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// LoadClient reads what a client believes and what it shows: its authorities, nil for the system's alone, and its own certificate, nil for
// none. Failures are *Error with ErrCertificate that name the file and the reason.
func LoadClient(o *config.ClientOptions) (roots *x509.CertPool, own *tls.Certificate, err error) {
	if o.Roots != "" || o.RootsPath != "" {
		name, text, err := readPEM(o.Roots, o.RootsPath, "list of authorities", "roots")
		if err != nil {
			return nil, nil, err
		}
		if o.SystemRoots {
			if roots, err = x509.SystemCertPool(); err != nil {
				return nil, nil, &sink.Error{Code: sink.ErrCertificate, Text: "the system's authorities: " + err.Error(), Err: err}
			}
		} else {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(text) {
			return nil, nil, &sink.Error{Code: sink.ErrCertificate, Text: name + ": there is no certificate in it"}
		}
	}
	if o.Certificate != nil {
		if own, err = load(o.Certificate); err != nil {
			return nil, nil, err
		}
	}
	return roots, own, nil
}
