package engine

import "encoding/binary"

// A requestHead is what a request is about. Its strings are views into the packed buffer: they hold as long as that does, and
// whoever keeps one longer clones it.
type requestHead struct {
	Method, Scheme, Authority, Path, Protocol string

	MetaLen       int   // bytes of the packed list
	ContentLength int64 // -1: not given
	Fields        int   // entries of the packed list
}

// request checks what is packed as a whole and describes it.
func (d *fieldDecoder) request() (requestHead, error) {
	if !d.seen[pseudoAuthority] && d.hasHost {
		if err := d.adoptHost(); err != nil {
			return requestHead{}, err
		}
	} else if d.hasHost && string(d.dst[d.host.from:d.host.to]) != string(d.value(d.authorityAt)) {
		return requestHead{}, errHostMismatch
	}
	w := packedReader{rest: d.dst[:d.n]}
	_, method, _ := w.next()
	_, scheme, _ := w.next()
	_, authority, _ := w.next()
	_, path, _ := w.next()
	var protocol []byte
	if d.seen[pseudoProtocol] {
		_, protocol, _ = w.next()
	}
	if err := d.checkRequest(method, scheme, authority, path, protocol); err != nil {
		return requestHead{}, err
	}
	return requestHead{
		Method: view(method), Scheme: view(scheme), Authority: view(authority), Path: view(path), Protocol: view(protocol),
		MetaLen: d.n, ContentLength: d.length, Fields: d.entries,
	}, nil
}

func (d *fieldDecoder) checkRequest(method, scheme, authority, path, protocol []byte) error {
	if len(method) == 0 {
		return errNoMethod
	}
	if !consistsOf(method, inToken) {
		return errMethod
	}
	connect := string(method) == "CONNECT"
	extended := d.seen[pseudoProtocol]
	if extended && (!connect || !consistsOf(protocol, inToken)) {
		return errProtocol
	}
	if len(authority) > 0 && !validAuthority(authority) {
		return errAuthority
	}
	if connect && !extended { // RFC 9114, 4.4
		if d.seen[pseudoScheme] || d.seen[pseudoPath] {
			return errConnect
		}
		if !d.seen[pseudoAuthority] || len(authority) == 0 {
			return errNoAuthority
		}
		return nil
	}
	if len(scheme) == 0 {
		return errNoScheme
	}
	if !consistsOf(scheme, inScheme) || scheme[0]|0x20 < 'a' || scheme[0]|0x20 > 'z' {
		return errScheme
	}
	for i, b := range scheme { // its case means nothing (RFC 3986, 3.1), so that one form of it is enough
		if b >= 'A' && b <= 'Z' {
			scheme[i] = b | 0x20
		}
	}
	web := string(scheme) == "https" || string(scheme) == "http"
	if len(authority) == 0 && (web || extended || d.seen[pseudoAuthority] || d.hasHost) {
		return errNoAuthority
	}
	if len(path) == 0 {
		return errNoPath
	}
	if path[0] != '/' && !(string(path) == "*" && string(method) == "OPTIONS") {
		return errPath
	}
	if !consistsOf(path, inPath) {
		return errPathBytes
	}
	return nil
}

// adoptHost makes the host field the :authority of a request that has none (RFC 9114, 4.3.1).
func (d *fieldDecoder) adoptHost() error {
	size := d.host.to - d.host.from
	if d.n+size > len(d.dst) {
		return errShort
	}
	copy(d.dst[d.authorityAt+size:], d.dst[d.authorityAt:d.n])
	copy(d.dst[d.authorityAt:], d.dst[d.host.from+size:d.host.to+size])
	binary.LittleEndian.PutUint32(d.dst[d.authorityAt-len(":authority")-4:], uint32(size))
	d.n += size
	return nil
}
