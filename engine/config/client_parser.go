package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"zigh3/engine/congestion"
)

const (
	// maxHashes bounds the list of certificate hashes.
	maxHashes = 1024

	// maxALPN bounds the list of protocols that are offered.
	maxALPN = 16
	// maxHosts bounds the hosts map.
	maxHosts = 4096
	// maxHostAddresses bounds the addresses of one of them.
	maxHostAddresses = 64
)

// A clientParser reads the JSON object of a client's options.
type clientParser struct {
	options          *ClientOptions
	systemRootsGiven bool
	cert             bool   // cert or cert_path was given
	key              string // which of key and key_path was
	sessions         bool
}

func (p *clientParser) parse(text []byte) error {
	if len(text) > maxOptionsBytes {
		return configError("the options are %d bytes long, at most %d are taken", len(text), maxOptionsBytes)
	}
	if !utf8.Valid(text) {
		return configError("the options are not UTF-8")
	}
	return walkObject(text, "the options", p.option)
}

// clientKeys are the options of a client that are no numbers.
var clientKeys = []string{"roots", "roots_path", "system_roots", "server_name", "insecure", "certificate_hashes", "cert", "cert_path", "key", "key_path", "alpn", "origin", "hosts",
	"congestion_control", "early_data", "qlog_path", "key_log_path", "quic_datagrams", "datagrams", "webtransport"}

func (p *clientParser) option(key string, value json.RawMessage) error {
	o := p.options
	if done, err := setNumber(o, clientOptionKeys[:], "", key, value); done {
		return err
	}
	switch key {
	case "roots":
		return parseText(key, value, &o.Roots)
	case "roots_path":
		return parseText(key, value, &o.RootsPath)
	case "system_roots":
		p.systemRootsGiven = true
		return parseBool(key, value, &o.SystemRoots)
	case "server_name":
		return parseText(key, value, &o.ServerName)
	case "insecure":
		return parseBool(key, value, &o.Insecure)
	case "certificate_hashes":
		return p.hashes(value)
	case "cert", "cert_path", "key", "key_path":
		return p.certificate(key, value)
	case "alpn":
		return p.alpn(value)
	case "origin":
		return p.origin(value)
	case "hosts":
		return walkObject(value, "hosts", p.host)
	case "congestion_control":
		return parseCongestion(value, &o.CongestionControl)
	case "early_data":
		return parseBool(key, value, &o.EarlyData)
	case "qlog_path":
		return parseText(key, value, &o.QlogPath)
	case "key_log_path":
		return parseText(key, value, &o.KeyLogPath)
	case "quic_datagrams":
		return parseBool(key, value, &o.QUICDatagrams)
	case "datagrams":
		return parseDatagrams(value, &o.Datagrams)
	case "webtransport":
		if string(value) == "false" {
			p.sessions = false
			return nil
		}
		return parseNumbers("webtransport", o.WebTransport, webTransportOptionKeys[:], value)
	}
	return unknownKey(key, append(numberNames(clientOptionKeys[:]), clientKeys...))
}

// parseCongestion takes the name of an algorithm.
func parseCongestion(value json.RawMessage, into *congestion.Algorithm) error {
	var name string
	if err := parseText("congestion_control", value, &name); err != nil {
		return err
	}
	a, ok := congestion.AlgorithmNamed(name)
	if !ok {
		return configError("congestion_control must be auto, bbr or reno, not %s", excerpt(value))
	}
	*into = a
	return nil
}

// certificate takes one of the four keys of the client's own certificate.
func (p *clientParser) certificate(key string, value json.RawMessage) error {
	if p.options.Certificate == nil {
		p.options.Certificate = &CertificateSource{}
	}
	s := p.options.Certificate
	into, cert := &s.Cert, true
	switch key {
	case "cert_path":
		into = &s.CertPath
	case "key":
		into, cert = &s.Key, false
	case "key_path":
		into, cert = &s.KeyPath, false
	}
	switch {
	case cert && p.cert:
		return configError("the certificate is given twice: as cert and as cert_path")
	case !cert && p.key != "":
		return configError("the key is given twice: as key and as key_path")
	case cert:
		p.cert = true
	default:
		p.key = key
	}
	return parseText(key, value, into)
}

// hashes takes SHA-256 sums of certificates in hexadecimal, colons between bytes allowed, as openssl and browsers show them.
func (p *clientParser) hashes(value json.RawMessage) error {
	const key = "certificate_hashes"
	var list []string
	if value[0] != '[' || json.Unmarshal(value, &list) != nil {
		return wrongType(key, "an array of strings", value)
	}
	if len(list) == 0 || len(list) > maxHashes {
		return configError("%s must list 1 to %d hashes, not %d", key, maxHashes, len(list))
	}
	for i, text := range list {
		sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(sum) != sha256.Size {
			return configError("%s[%d]: %q is no SHA-256 in hexadecimal: 64 digits", key, i, text)
		}
		p.options.CertificateHashes = append(p.options.CertificateHashes, [sha256.Size]byte(sum))
	}
	return nil
}

// alpn takes the protocols that are offered.
func (p *clientParser) alpn(value json.RawMessage) error {
	const key = "alpn"
	var list []string
	if value[0] != '[' || json.Unmarshal(value, &list) != nil {
		return wrongType(key, "an array of strings", value)
	}
	if len(list) == 0 || len(list) > maxALPN {
		return configError("%s must list 1 to %d protocols, not %d", key, maxALPN, len(list))
	}
	for i, name := range list {
		if len(name) == 0 || len(name) > 255 { // RFC 7301, 3.1
			return configError("%s[%d]: the name of a protocol has 1 to 255 bytes, not %d", key, i, len(name))
		}
	}
	p.options.ALPN = list
	return nil
}

// origin takes where sessions come from.
func (p *clientParser) origin(value json.RawMessage) error {
	if err := parseText("origin", value, &p.options.Origin); err != nil {
		return err
	}
	for _, b := range []byte(p.options.Origin) {
		if b <= ' ' || b > '~' {
			return configError("origin must be one as a page has it, https://example.com, not %q", p.options.Origin)
		}
	}
	return nil
}

// host takes one name of the hosts map, and where it is: an address, one with a port, or several.
func (p *clientParser) host(name string, value json.RawMessage) error {
	o := p.options
	if len(o.Hosts) == maxHosts {
		return configError("hosts has more than %d names", maxHosts)
	}
	host := name
	if h, port, err := net.SplitHostPort(name); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return configError("hosts: %q has no port that there is", name)
		}
		host = h
	}
	if host == "" || strings.ContainsAny(host, " \t/@") {
		return configError("hosts: %q is neither a name nor a name with a port", name)
	}
	var texts []string
	switch value[0] {
	case '"':
		texts = make([]string, 1)
		if err := parseText("hosts."+name, value, &texts[0]); err != nil {
			return err
		}
	case '[':
		if json.Unmarshal(value, &texts) != nil || len(texts) == 0 || len(texts) > maxHostAddresses {
			return wrongType("hosts."+name, "1 to "+strconv.Itoa(maxHostAddresses)+" addresses", value)
		}
	default:
		return wrongType("hosts."+name, "an address, or an array of them", value)
	}
	var at []netip.AddrPort
	for _, text := range texts {
		a, err := parseAddress(text)
		if err != nil {
			return configError("hosts.%s: %q is no IP address, with a port or without", name, text)
		}
		at = append(at, a)
	}
	if o.Hosts == nil {
		o.Hosts = make(map[string][]netip.AddrPort)
	}
	name = strings.ToLower(name)
	if _, twice := o.Hosts[name]; twice {
		return configError("hosts has %q twice", name)
	}
	o.Hosts[name] = slices.Clip(at)
	return nil
}

// parseAddress reads an IP address, in brackets or not, with a port or without.
func parseAddress(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a, nil
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return netip.AddrPortFrom(a, 0), err
}
