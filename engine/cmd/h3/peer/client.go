package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"zigh3/engine/client"
	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// Settings say how servers are found, and which are believed.
type Settings struct {
	resolve        []string
	pins           []string
	authorities    string
	insecure       bool
	name           string
	certificate    string
	key            string
	connectTimeout time.Duration
	qlog           string
	keyLog         string
}

// Options are those of every command that asks a server.
func (s *Settings) Options() []cli.Option {
	return []cli.Option{
		{Names: []string{"resolve"}, Value: "HOST:PORT:ADDRESS", Text: "Where a host is, instead of looking its name up; an address may have a port of its own. May be given more than once", Set: s.setResolve},
		{Names: []string{"pin"}, Value: "SHA256", Text: "The SHA-256 of the certificate that the server must show, in hexadecimal; nothing else is looked at but what the W3C wants of such a one. May be given more than once", Set: cli.Texts(&s.pins)},
		{Names: []string{"cacert"}, Value: "FILE", Text: "PEM with the authorities to believe, instead of the system's", Set: cli.Text(&s.authorities)},
		{Names: []string{"k", "insecure"}, Text: "Believe any certificate", Set: cli.Switch(&s.insecure)},
		{Names: []string{"server-name"}, Value: "NAME", Text: "The name to ask for (SNI), and to find in the certificate, instead of the URL's", Set: cli.Text(&s.name)},
		{Names: []string{"cert"}, Value: "FILE", Text: "PEM with a certificate of our own, for a server that asks", Set: cli.Text(&s.certificate)},
		{Names: []string{"key"}, Value: "FILE", Text: "PEM with its key", Set: cli.Text(&s.key)},
		{Names: []string{"connect-timeout"}, Value: "SECONDS", Text: "The longest that connecting may take, looking up included (10)", Set: cli.Seconds(&s.connectTimeout, 0.01, 600)},
		{Names: []string{"qlog"}, Value: "DIR", Text: "A folder for a file of each connection that says what QUIC does on it (qlog)", Set: cli.Text(&s.qlog)},
		{Names: []string{"keylog"}, Value: "FILE", Text: "A file to append the secrets of all connections to, for Wireshark: who has it can read what was sent", Set: cli.Text(&s.keyLog)},
	}
}

// setResolve checks what setHosts takes apart.
func (s *Settings) setResolve(value string) error {
	if _, _, err := hostEntry(value); err != nil {
		return err
	}
	s.resolve = append(s.resolve, value)
	return nil
}

// hostEntry takes HOST:PORT:ADDRESS apart.
func hostEntry(value string) (name string, at netip.AddrPort, err error) {
	host, rest := "", ""
	if after, ok := strings.CutPrefix(value, "["); ok {
		host, rest, _ = strings.Cut(after, "]:")
	} else {
		host, rest, _ = strings.Cut(value, ":")
	}
	port, address, ok := strings.Cut(rest, ":")
	if host == "" || port == "" || !ok {
		return "", at, fmt.Errorf("it takes HOST:PORT:ADDRESS")
	}
	if at, err = netip.ParseAddrPort(address); err != nil {
		ip, perr := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"))
		if perr != nil {
			return "", at, fmt.Errorf("%q is no IP address", address)
		}
		at = netip.AddrPortFrom(ip, 0)
	}
	return net.JoinHostPort(host, port), at, nil
}

// More are options of the engine that a command sets itself.
type More map[string]any

// Client makes a client that delivers to q.
func (s *Settings) Client(q *queue.Queue, handle sink.Handle, stats *sink.ClientStats, more More) (*client.Client, error) {
	o := map[string]any{}
	hosts := map[string][]string{}
	for _, value := range s.resolve {
		name, at, err := hostEntry(value)
		if err != nil {
			return nil, cli.Fail(cli.Usage, "--resolve: %v", err)
		}
		text := at.String()
		if at.Port() == 0 {
			text = at.Addr().String()
		}
		name = strings.ToLower(name)
		hosts[name] = append(hosts[name], text)
	}
	if len(hosts) > 0 {
		o["hosts"] = hosts
	}
	if len(s.pins) > 0 {
		o["certificate_hashes"] = s.pins
	}
	if s.insecure {
		o["insecure"] = true
	}
	for key, value := range map[string]string{"roots_path": s.authorities, "server_name": s.name, "cert_path": s.certificate, "key_path": s.key,
		"qlog_path": s.qlog, "key_log_path": s.keyLog} {
		if value != "" {
			o[key] = value
		}
	}
	if s.connectTimeout > 0 {
		ms := s.connectTimeout.Milliseconds()
		o["connect_timeout_ms"], o["queue_timeout_ms"] = ms, 2*ms // the latter is not to end it
	}
	for key, value := range more {
		o[key] = value
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	options, err := config.ParseClientOptions(text)
	if err != nil {
		return nil, cli.Fail(cli.Usage, "%v", err)
	}
	if s.authorities != "" {
		if _, err := os.Stat(s.authorities); err != nil {
			return nil, cli.Fail(cli.Authorities, "%v", err)
		}
	}
	c, err := client.New(options, handle, q, stats)
	var failure *sink.Error
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &failure) && failure.Code == sink.ErrCertificate && s.authorities != "" && s.certificate == "":
		return nil, cli.Fail(cli.Authorities, "%v", err)
	case errors.As(err, &failure) && failure.Code == sink.ErrConfig: // a file of ours that cannot be written
		return nil, cli.Fail(cli.Output, "%v", err)
	}
	return nil, cli.Fail(cli.Identity, "%v", err)
}
