package peer

import (
	"net/url"
	"strings"

	"zigh3/engine/cmd/h3/cli"
)

// A Target is what a URL names.
type Target struct {
	url *url.URL
}

// Parse reads a URL. Without a scheme it is one of https.
func Parse(text string) (*Target, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, cli.Fail(cli.URL, "%v", err)
	}
	return of(u)
}

func of(u *url.URL) (*Target, error) {
	switch {
	case !strings.EqualFold(u.Scheme, "https"):
		return nil, cli.Fail(cli.Scheme, "HTTP/3 is for https, and %s is not", u.Redacted())
	case u.Hostname() == "":
		return nil, cli.Fail(cli.URL, "%s names no host", u.Redacted())
	case u.User != nil:
		return nil, cli.Fail(cli.URL, "a user and a password in a URL are not sent: give -H 'authorization: ...'")
	}
	u.Fragment, u.RawFragment = "", ""
	return &Target{u}, nil
}

// Follow is where a redirect of t leads to.
func (t *Target) Follow(location string) (*Target, error) {
	u, err := t.url.Parse(location)
	if err != nil {
		return nil, cli.Fail(cli.URL, "the server redirects to %q: %v", location, err)
	}
	return of(u)
}

// Authority is the host, and the port if there is one.
func (t *Target) Authority() string { return t.url.Host }

// Path is the path and the query.
func (t *Target) Path() string {
	path := t.url.EscapedPath()
	if path == "" {
		path = "/"
	}
	if t.url.RawQuery != "" || t.url.ForceQuery {
		path += "?" + t.url.RawQuery
	}
	return path
}

// SameOrigin reports whether both are of the same host and port.
func (t *Target) SameOrigin(other *Target) bool {
	return strings.EqualFold(t.url.Hostname(), other.url.Hostname()) && t.port() == other.port()
}

func (t *Target) port() string {
	if p := t.url.Port(); p != "" {
		return p
	}
	return "443"
}

// Origin is the target's origin as the field of that name has it.
func (t *Target) Origin() string {
	return "https://" + strings.ToLower(strings.TrimSuffix(t.url.Host, ":443"))
}

// String is the URL.
func (t *Target) String() string { return t.url.String() }
