package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"zigh3/engine/sink"
)

// maxOptionsBytes bounds the JSON text; certificates with long chains stay far below.
const maxOptionsBytes = 4 * Mib

// maxCertificates bounds the list of certificates that one server chooses from.
const maxCertificates = 1024

// An optionsParser reads the JSON object of options. encoding/json alone would take the last of two equal keys and any case of
// their letters, so objects are walked key by key.
type optionsParser struct {
	options *Options
	pair    CertificateSource // what the keys cert and key say
}

func (p *optionsParser) parse(text []byte) error {
	if len(text) > maxOptionsBytes {
		return configError("the options are %d bytes long, at most %d are taken", len(text), maxOptionsBytes)
	}
	if !utf8.Valid(text) {
		return configError("the options are not UTF-8")
	}
	return walkObject(text, "the options", p.option)
}

func (p *optionsParser) option(key string, value json.RawMessage) error {
	if done, err := setNumber(p.options, optionKeys[:], "", key, value); done {
		return err
	}
	switch key {
	case "date":
		return parseBool(key, value, &p.options.Date)
	case "congestion_control":
		return parseCongestion(value, &p.options.CongestionControl)
	case "cert":
		return parseText(key, value, &p.pair.Cert)
	case "key":
		return parseText(key, value, &p.pair.Key)
	case "tls":
		return p.certificates(value)
	case "go":
		return parseNumbers("go", &p.options.Go, goOptionKeys[:], value)
	case "quic_datagrams":
		return parseBool(key, value, &p.options.QUICDatagrams)
	case "raw_datagrams":
		return parseBool(key, value, &p.options.RawDatagrams)
	case "datagrams":
		return parseDatagrams(value, &p.options.Datagrams)
	case "webtransport":
		return walkObject(value, "webtransport", func(key string, value json.RawMessage) error {
			if key == "origins" {
				return p.origins(value)
			}
			if done, err := setNumber(&p.options.WebTransport, webTransportOptionKeys[:], "webtransport.", key, value); done {
				return err
			}
			return unknownKey("webtransport."+key, append(numberNames(webTransportOptionKeys[:]), "origins"))
		})
	}
	return unknownKey(key, append(numberNames(optionKeys[:]), "congestion_control", "date", "cert", "key", "tls", "go", "quic_datagrams", "raw_datagrams",
		"datagrams", "webtransport"))
}

// parseNumbers takes an object that holds nothing but numbers.
func parseNumbers[T any](name string, into *T, keys []optionKey[T], value json.RawMessage) error {
	return walkObject(value, name, func(key string, value json.RawMessage) error {
		if done, err := setNumber(into, keys, name+".", key, value); done {
			return err
		}
		return unknownKey(name+"."+key, numberNames(keys))
	})
}

// parseDatagrams takes the object "datagrams".
func parseDatagrams(value json.RawMessage, into *DatagramOptions) error {
	return walkObject(value, "datagrams", func(key string, value json.RawMessage) error {
		if key == "count_lost" {
			return parseBool("datagrams.count_lost", value, &into.CountLost)
		}
		if done, err := setNumber(into, datagramOptionKeys[:], "datagrams.", key, value); done {
			return err
		}
		return unknownKey("datagrams."+key, append(numberNames(datagramOptionKeys[:]), "count_lost"))
	})
}

// maxOrigins bounds the list of origins.
const maxOrigins = 1024

// origins takes "same", or a list of origins as browsers send them; "*" among them is any.
func (p *optionsParser) origins(value json.RawMessage) error {
	const key = "webtransport.origins"
	if string(value) == `"same"` {
		p.options.WebTransport.Origins = nil
		return nil
	}
	var list []string
	if value[0] != '[' || json.Unmarshal(value, &list) != nil {
		return wrongType(key, `"same" or an array of strings`, value)
	}
	if len(list) == 0 || len(list) > maxOrigins {
		return configError("%s must list 1 to %d origins, not %d", key, maxOrigins, len(list))
	}
	for i, origin := range list {
		if err := checkOrigin(origin); err != nil {
			return configError("%s[%d]: %q %v", key, i, origin, err)
		}
	}
	p.options.WebTransport.Origins = list
	return nil
}

var errNoOrigin = errors.New(`is no origin: "https://host", with ":port" where it is not the scheme's own, or "*"`)

func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return errNoOrigin
	}
	return nil
}

func (p *optionsParser) certificates(value json.RawMessage) error {
	var items []json.RawMessage
	if value[0] != '[' {
		return wrongType("tls", "an array of objects", value)
	}
	if err := json.Unmarshal(value, &items); err != nil {
		return configError("tls: %v", err)
	}
	if len(items) > maxCertificates {
		return configError("tls lists %d certificates, at most %d are taken", len(items), maxCertificates)
	}
	for i, item := range items {
		at := fmt.Sprintf("tls[%d]", i)
		source := CertificateSource{Option: at + "."}
		texts := map[string]*string{
			"cert": &source.Cert, "key": &source.Key, "cert_path": &source.CertPath, "key_path": &source.KeyPath,
			"server_name": &source.ServerName,
		}
		err := walkObject(item, at, func(key string, value json.RawMessage) error {
			into, ok := texts[key]
			if !ok {
				return unknownKey(at+"."+key, []string{"cert", "key", "cert_path", "key_path", "server_name"})
			}
			return parseText(at+"."+key, value, into)
		})
		if err != nil {
			return err
		}
		if (source.Cert != "") == (source.CertPath != "") {
			return configError("%s takes either cert or cert_path", at)
		}
		if (source.Key != "") == (source.KeyPath != "") {
			return configError("%s takes either key or key_path", at)
		}
		p.options.Certificates = append(p.options.Certificates, source)
	}
	return nil
}

// walkObject calls visit for each member of the JSON object in text. A key that comes twice is an error.
func walkObject(text []byte, what string, visit func(key string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	first, err := dec.Token()
	if err != nil {
		return notJSON(what, err)
	}
	if first != json.Delim('{') {
		return wrongType(what, "an object", text)
	}
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return notJSON(what, err)
		}
		key, _ := token.(string) // inside an object the decoder gives nothing else here
		if seen[key] {
			return configError("%s: the key %q comes twice", what, key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return notJSON(what, err)
		}
		if err := visit(key, value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return notJSON(what, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return configError("%s: more text follows the JSON object", what)
	}
	return nil
}

func notJSON(what string, err error) *sink.Error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the text ends too early")
	}
	return &sink.Error{Code: sink.ErrConfig, Text: fmt.Sprintf("%s: not JSON: %v", what, err), Err: err}
}

// setNumber sets the option that key names in keys, if there is one.
func setNumber[T any](o *T, keys []optionKey[T], prefix, key string, value json.RawMessage) (known bool, err error) {
	i := slices.IndexFunc(keys, func(k optionKey[T]) bool { return k.name == key })
	if i < 0 {
		return false, nil
	}
	k := &keys[i]
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return true, wrongType(prefix+key, "a number", value)
	}
	v, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil { // a fraction, an exponent, or beyond 64 bits: bindings may write 1e6 for a million
		f, ferr := strconv.ParseFloat(string(value), 64)
		if ferr != nil || f != float64(int64(f)) || f < -(1<<53) || f > 1<<53 {
			return true, outOfRange(prefix, *k, value)
		}
		v = int64(f)
	}
	if v < k.min || v > k.max {
		return true, outOfRange(prefix, *k, value)
	}
	k.set(o, v)
	return true, nil
}

func outOfRange[T any](prefix string, k optionKey[T], value json.RawMessage) *sink.Error {
	return configError("%s%s must be a whole number of %s from %d to %d, not %s", prefix, k.name, k.unit, k.min, k.max, excerpt(value))
}

func parseBool(key string, value json.RawMessage, into *bool) error {
	switch string(value) {
	case "true":
		*into = true
	case "false":
		*into = false
	default:
		return wrongType(key, "true or false", value)
	}
	return nil
}

func parseText(key string, value json.RawMessage, into *string) error {
	if value[0] != '"' {
		return wrongType(key, "a string", value)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return configError("%s: %v", key, err)
	}
	if *into == "" {
		return configError("%s must not be empty", key)
	}
	return nil
}

func wrongType(key, want string, value json.RawMessage) *sink.Error {
	return configError("%s must be %s, not %s", key, want, excerpt(value))
}

// excerpt shows a wrong value without repeating what may be a whole key file.
func excerpt(value json.RawMessage) string {
	const limit = 40
	if len(value) <= limit {
		return string(value)
	}
	return strings.ToValidUTF8(string(value[:limit]), "") + "…"
}

func unknownKey(key string, known []string) *sink.Error {
	slices.Sort(known)
	return configError("unknown option %q (known here: %s)", key, strings.Join(known, ", "))
}

func numberNames[T any](keys []optionKey[T]) []string {
	var names []string
	for i := range keys {
		names = append(names, keys[i].name)
	}
	return names
}
