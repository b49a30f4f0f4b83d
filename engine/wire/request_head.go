package wire

import "encoding/binary"

// A RequestHead is what a request is about. Its texts are views into the packed buffer: they hold as long as that does, and
// whoever keeps one longer clones it.
type RequestHead struct {
	Method, Scheme, Authority, Path, Protocol []byte

	MetaLen       int   // bytes of the packed list
	ContentLength int64 // -1: not given
	Fields        int   // entries of the packed list

	Priority    Priority
	HasPriority bool // it was given
}

// request checks what is packed as a whole and describes it.
func (d *fieldDecoder) request() (RequestHead, error) {
	if !d.seen[pseudoAuthority] && d.hasHost {
		if err := d.adoptHost(); err != nil {
			return RequestHead{}, err
		}
	} else if d.hasHost && string(d.dst[d.host.from:d.host.to]) != string(d.value(d.authorityAt)) {
		return RequestHead{}, ErrHostMismatch
	}
	w := PackedReader{Rest: d.dst[:d.n]}
	_, method, _ := w.Next()
	_, scheme, _ := w.Next()
	_, authority, _ := w.Next()
	_, path, _ := w.Next()
	var protocol []byte
	if d.seen[pseudoProtocol] {
		_, protocol, _ = w.Next()
	}
	if err := d.checkRequest(method, scheme, authority, path, protocol); err != nil {
		return RequestHead{}, err
	}
	return RequestHead{
		Method: method, Scheme: scheme, Authority: authority, Path: path, Protocol: protocol,
		MetaLen: d.n, ContentLength: d.length, Fields: d.entries, Priority: d.priority, HasPriority: d.hasPriority,
	}, nil
}

func (d *fieldDecoder) checkRequest(method, scheme, authority, path, protocol []byte) error {
	if len(method) == 0 {
		return ErrNoMethod
	}
	if !ConsistsOf(method, InToken) {
		return ErrMethod
	}
	connect := string(method) == "CONNECT"
	extended := d.seen[pseudoProtocol]
	if extended && (!connect || !ConsistsOf(protocol, InToken)) {
		return ErrProtocol
	}
	if len(authority) > 0 && !ValidAuthority(authority) {
		return ErrAuthority
	}
	if connect && !extended { // RFC 9114, 4.4
		if d.seen[pseudoScheme] || d.seen[pseudoPath] {
			return ErrConnect
		}
		if !d.seen[pseudoAuthority] || len(authority) == 0 {
			return ErrNoAuthority
		}
		return nil
	}
	if len(scheme) == 0 {
		return ErrNoScheme
	}
	if !ConsistsOf(scheme, inScheme) || scheme[0]|0x20 < 'a' || scheme[0]|0x20 > 'z' {
		return ErrScheme
	}
	for i, b := range scheme { // its case means nothing (RFC 3986, 3.1), so that one form of it is enough
		if b >= 'A' && b <= 'Z' {
			scheme[i] = b | 0x20
		}
	}
	web := string(scheme) == "https" || string(scheme) == "http"
	if len(authority) == 0 && (web || extended || d.seen[pseudoAuthority] || d.hasHost) {
		return ErrNoAuthority
	}
	if len(path) == 0 {
		return ErrNoPath
	}
	if path[0] != '/' && !(string(path) == "*" && string(method) == "OPTIONS") {
		return ErrPath
	}
	if !ConsistsOf(path, InPath) {
		return ErrPathBytes
	}
	return nil
}

// adoptHost makes the host field the :authority of a request that has none (RFC 9114, 4.3.1).
func (d *fieldDecoder) adoptHost() error {
	size := d.host.to - d.host.from
	if d.n+size > len(d.dst) {
		return ErrShort
	}
	copy(d.dst[d.authorityAt+size:], d.dst[d.authorityAt:d.n])
	copy(d.dst[d.authorityAt:], d.dst[d.host.from+size:d.host.to+size])
	binary.LittleEndian.PutUint32(d.dst[d.authorityAt-len(":authority")-4:], uint32(size))
	d.n += size
	return nil
}
