package client

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Request is what a fetch asks for. What it points to is valid during the call that takes it.
type Request struct {
	Method    string
	Authority string // host, and port if it is not 443, as they stand in the URL
	Path      string // and query; empty: "/"
	Headers   []byte // packed list, names lower-case; host among them takes the place of Authority on the wire

	Body sink.Chunk // the body, or its begin
	End  bool       // it is the whole body, or there is none: nothing is written to the fetch

	Collect int64 // the most bytes that the response's body may have, which is then delivered without credit; 0: any number, by credit

	Priority    wire.Priority // of the response, and of the body on its way (RFC 9218)
	HasPriority bool          // there is one; else a field priority among Headers says, or none does

	Datagrams bool // it has datagrams (RFC 9297), from when it is on its connection; then it is never sent a second time

	ResponseTimeout time.Duration // until the response's head; 0: the client's option, negative: for ever
	RequestTimeout  time.Duration // until the fetch has ended; likewise
	UserData        uint64        // of its events
}

// An originKey says whose connections can be shared. What else makes them differ is the same for all of one client.
type originKey struct {
	host string // lower-case, an IPv6 address without its brackets
	port uint16
	// alone, unless it is 0, is the one session whose connection nobody shares.
	alone uint64
}

func (k originKey) String() string { return net.JoinHostPort(k.host, strconv.Itoa(int(k.port))) }

// originOf reads an authority.
func originOf(authority string) (originKey, error) {
	if !wire.ValidAuthority([]byte(authority)) {
		return originKey{}, &sink.Error{Code: sink.ErrBadURL, Text: "no host and port: " + strconv.Quote(authority)}
	}
	host, port := authority, uint16(443)
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		n, err := strconv.ParseUint(authority[i+1:], 10, 16)
		if (err != nil || n == 0) && authority[i+1:] != "" {
			return originKey{}, &sink.Error{Code: sink.ErrBadURL, Text: "no port: " + strconv.Quote(authority)}
		}
		if n != 0 {
			port = uint16(n)
		}
		host = authority[:i]
	}
	if !validHost(host) {
		return originKey{}, &sink.Error{Code: sink.ErrBadURL, Text: "no host: " + strconv.Quote(host)}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return originKey{host: strings.ToLower(host), port: port}, nil
}

// longestName is how long a name in the DNS may be (RFC 1035), not counting a dot at its end.
const longestName = 253

// validHost reports whether the host of a valid authority can be one: an IPv6 address stands in brackets, and nothing else does; a name has no
// escapes, which the URL Standard would have decoded before.
func validHost(host string) bool {
	if inside, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	name := strings.TrimSuffix(host, ".")
	return name != "" && len(name) <= longestName && !strings.Contains(name, "%")
}

// head makes the packed list of a request's head, and says how large the section is as RFC 9114, 4.2.2 counts it.
func (r *Request) head() (packed []byte, size int, err error) {
	if r.Method == "CONNECT" {
		return nil, 0, &sink.Error{Code: sink.ErrInvalidArgument, Text: "CONNECT is no method for a fetch"}
	}
	return r.sessionHead("")
}

// sessionHead is head for any method; token, if not empty, is the :protocol.
func (r *Request) sessionHead(token string) (packed []byte, size int, err error) {
	path := r.Path
	if path == "" {
		path = "/"
	}
	switch {
	case !wire.ConsistsOf(r.Method, wire.InToken):
		return nil, 0, &sink.Error{Code: sink.ErrInvalidArgument, Text: "no method for a fetch: " + strconv.Quote(r.Method)}
	case path[0] != '/' && !(path == "*" && r.Method == "OPTIONS") || !wire.ConsistsOf(path, wire.InPath):
		return nil, 0, &sink.Error{Code: sink.ErrBadURL, Text: "no path: " + strconv.Quote(path)}
	}
	authority := r.Authority
	if !strings.Contains(authority, "[") {
		authority = strings.TrimSuffix(authority, ":")
	}
	if authority, err = checkFields(r.Headers, authority); err != nil {
		return nil, 0, err
	}
	pseudo := [...][2]string{{":method", r.Method}, {":scheme", "https"}, {":authority", authority}, {":path", path}, {":protocol", token}}
	room := len(r.Headers)
	for _, field := range pseudo {
		room += wire.PackedHead + len(field[0]) + len(field[1])
	}
	packed = make([]byte, 0, room)
	for _, field := range pseudo {
		if field[1] == "" {
			continue // no token
		}
		size += len(field[0]) + len(field[1]) + 32
		packed = wire.AppendPacked(packed, field[0], field[1])
	}
	for list := (wire.PackedReader{Rest: r.Headers}); ; {
		entry := list.Rest
		name, value, ok := list.Next()
		if !ok {
			break
		}
		if string(name) != "host" && !(r.HasPriority && string(name) == wire.FieldPriority) {
			size += len(name) + len(value) + 32
			packed = append(packed, entry[:len(entry)-len(list.Rest)]...)
		}
	}
	if r.HasPriority {
		value := wire.AppendPriority(nil, r.Priority)
		size += len(wire.FieldPriority) + len(value) + 32
		packed = wire.AppendPacked(packed, wire.FieldPriority, string(value))
	}
	return packed, size, nil
}

// priority is the request's, by whichever of the two says it.
func (r *Request) priority() (p wire.Priority, given bool) {
	if r.HasPriority {
		return r.Priority, true
	}
	for list := (wire.PackedReader{Rest: r.Headers}); ; {
		name, value, ok := list.Next()
		switch {
		case !ok:
			return wire.DefaultPriority, false
		case string(name) == wire.FieldPriority:
			return wire.ParsePriority(value)
		}
	}
}

// hasField reports whether a packed list has a field of this name.
func hasField(packed []byte, field string) bool {
	for list := (wire.PackedReader{Rest: packed}); ; {
		name, _, ok := list.Next()
		if !ok || string(name) == field {
			return ok
		}
	}
}

// checkFields looks at the fields that a request is to have, and gives the authority that host among them puts in the place of that of the URL.
func checkFields(packed []byte, authority string) (string, error) {
	for list := (wire.PackedReader{Rest: packed}); ; {
		name, value, ok := list.Next()
		switch {
		case !ok && len(list.Rest) > 0:
			return "", &sink.Error{Code: sink.ErrInvalidArgument, Text: "the list of fields is cut"}
		case !ok:
			return authority, nil
		}
		if err := wire.CheckRequestField(name, value); err != nil {
			return "", &sink.Error{Code: sink.ErrBadHeader, Text: strconv.Quote(string(name)) + ": " + err.Error(), Err: err}
		}
		if string(name) == "host" {
			if !wire.ValidAuthority(value) {
				return "", &sink.Error{Code: sink.ErrBadHeader, Text: "host: no host and port: " + strconv.Quote(string(value))}
			}
			authority = string(value)
		}
	}
}
