package engine

import (
	"encoding/binary"
	"io"
	"unsafe"
)

// fieldLimits bounds what a peer's field sections may hold.
type fieldLimits struct {
	fields int // field lines besides pseudo-fields; the crumbs of a cookie are one
	name   int // bytes of a name
	value  int // bytes of a value; :path is bounded by total alone, the router answers a long one
	total  int // as RFC 9114, 4.2.2 counts: names, values, and 32 for each line
}

// newFieldLimits gives the limits for an option max_header_bytes.
func newFieldLimits(maxHeaderBytes int) *fieldLimits {
	return &fieldLimits{fields: 100, name: 256, value: 8 << 10, total: maxHeaderBytes}
}

// packedMax is a buffer size that decoding never finds too small.
func (l *fieldLimits) packedMax() int { return 2*l.total + 256 }

// decodeRequest turns a field section into the packed list of include/zig_h3.h, in dst, and checks that it makes a request
// (RFC 9114, 4.2 to 4.4; RFC 9220). It fails with errShort or a *fieldError.
func decodeRequest(dst, block []byte, lim *fieldLimits) (requestHead, error) {
	d := fieldDecoder{packedWriter: packedWriter{dst: dst}, lim: lim}
	if err := d.section(block, false); err != nil {
		return requestHead{}, d.overflow(err)
	}
	head, err := d.request()
	return head, d.overflow(err)
}

// decodeTrailers does it for trailers, which have no pseudo-fields. n is the length of the packed list.
func decodeTrailers(dst, block []byte, lim *fieldLimits) (n int, err error) {
	d := fieldDecoder{packedWriter: packedWriter{dst: dst}, lim: lim}
	if err := d.section(block, true); err != nil {
		return 0, d.overflow(err)
	}
	return d.n, nil
}

// A fieldDecoder carries one field section from the wire to a packed list.
type fieldDecoder struct {
	packedWriter
	lim *fieldLimits

	total  int // as lim.total counts
	fields int // as lim.fields counts

	pseudo  [pseudoCount]pseudoValue
	seen    [pseudoCount]bool
	started bool // pseudo-fields are written

	authorityAt int // where its value stands
	hasHost     bool
	host        span
	hasCookie   bool
	cookie      span // the value; its entry begins cookieHead bytes earlier
	hasLength   bool
	length      int64
}

// A pseudoValue waits until all pseudo-fields are there, because they are packed in an order of their own.
type pseudoValue struct {
	literal literal
	static  string
}

const cookieHead = packedHead + len("cookie")

// overflow turns errShort into what it is when the buffer was as large as any list may be.
func (d *fieldDecoder) overflow(err error) error {
	if err == errShort && len(d.dst) >= d.lim.packedMax() {
		return errLargeList
	}
	return err
}

func (d *fieldDecoder) section(block []byte, trailers bool) error {
	r := sectionReader{rest: block}
	if err := r.prefix(); err != nil {
		return err
	}
	d.length = -1
	d.started = trailers
	var line fieldLine
	for {
		if err := r.next(&line); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if err := d.line(&line, trailers); err != nil {
			return err
		}
	}
	if !d.started {
		return d.writePseudo()
	}
	return nil
}

func (d *fieldDecoder) line(line *fieldLine, trailers bool) error {
	kind := regularField
	var name []byte // a literal name, already in its place
	if line.entry != nil {
		kind = line.entry.kind
	} else {
		// A regular field can only come once the pseudo-fields are packed, but what this is shows in the name alone. So its name
		// is decoded behind the list, and decoded again should the pseudo-fields still have to go before it.
		var err error
		if name, err = d.decodeName(line.name); err != nil {
			return err
		}
		kind = kindOf(view(name))
	}
	if kind <= pseudoUnknown {
		return d.pseudoLine(line, kind, trailers)
	}
	if !d.started {
		if err := d.writePseudo(); err != nil {
			return err
		}
		if line.entry == nil {
			var err error
			if name, err = d.decodeName(line.name); err != nil {
				return err
			}
		}
	}
	if line.entry == nil && !consistsOf(name, inName) {
		return errNameBytes
	}
	if kind != fieldCookie || !d.hasCookie {
		if d.fields++; d.fields > d.lim.fields {
			return errManyFields
		}
	}
	if line.wholeLine && kind == regularField {
		e := line.entry
		if !d.packedWriter.whole(e.packed) {
			return errShort
		}
		return d.count(len(e.name) + len(e.value))
	}
	return d.regular(line, kind, name, trailers)
}

// decodeName decodes a literal name to where the next entry's name goes.
func (d *fieldDecoder) decodeName(l literal) ([]byte, error) {
	room, limited := d.room(d.n+packedHead, d.lim.name)
	n, err := l.decode(room)
	if err == errShort && limited {
		err = errLongName
	}
	return room[:n], err
}

// room is the rest of the buffer from at on, cut to limit; limited says that the limit is what ends it.
func (d *fieldDecoder) room(at, limit int) (rest []byte, limited bool) {
	if at >= len(d.dst) {
		return nil, false
	}
	if rest = d.dst[at:]; len(rest) > limit {
		return rest[:limit], true
	}
	return rest, false
}

// count adds a line of so many bytes of name and value.
func (d *fieldDecoder) count(bytes int) error {
	if d.total += bytes + 32; d.total > d.lim.total {
		return errLargeList
	}
	return nil
}

func (d *fieldDecoder) pseudoLine(line *fieldLine, kind fieldKind, trailers bool) error {
	switch {
	case trailers:
		return errPseudoTrailer
	case d.started:
		return errPseudoLate
	case kind == pseudoUnknown:
		return errPseudoUnknown
	case d.seen[kind]:
		return errPseudoTwice
	}
	d.seen[kind] = true
	if line.wholeLine {
		d.pseudo[kind].static = line.entry.value
	} else {
		d.pseudo[kind].literal = line.value
	}
	return nil
}

var pseudoNames = [pseudoCount]string{":method", ":scheme", ":authority", ":path", ":protocol"}

// writePseudo packs the pseudo-fields; what is absent is packed empty, but for :protocol.
func (d *fieldDecoder) writePseudo() error {
	d.started = true
	for kind := range pseudoCount {
		if kind == pseudoProtocol && !d.seen[kind] {
			continue
		}
		limit := d.lim.value
		if kind == pseudoPath {
			limit = d.lim.total
		}
		v := &d.pseudo[kind]
		at, ok := d.begin(pseudoNames[kind])
		if !ok {
			return errShort
		}
		var n int
		if v.literal.raw == nil {
			if n = copy(d.dst[at:], v.static); n < len(v.static) {
				return errShort
			}
		} else {
			var err error
			if n, err = d.decodeValue(v.literal, at, limit); err != nil {
				return err
			}
		}
		d.end(at, n)
		if kind == pseudoAuthority {
			d.authorityAt = at
		}
		if d.seen[kind] {
			if err := d.count(len(pseudoNames[kind]) + n); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeValue decodes a value to its place at and checks its bytes.
func (d *fieldDecoder) decodeValue(l literal, at, limit int) (int, error) {
	room, limited := d.room(at, limit)
	n, err := l.decode(room)
	if err != nil {
		if err == errShort && limited {
			err = errLongValue
		}
		return 0, err
	}
	if !validValue(room[:n]) {
		return 0, errValueBytes
	}
	return n, nil
}

// regular packs a field that is no pseudo-field; name is its literal name, or nil if the line has an entry.
func (d *fieldDecoder) regular(line *fieldLine, kind fieldKind, name []byte, trailers bool) error {
	start := d.n
	nameLen := len(name)
	if line.entry != nil {
		nameLen = len(line.entry.name)
		if start+packedHead+nameLen > len(d.dst) {
			return errShort
		}
		copy(d.dst[start+packedHead:], line.entry.name)
	}
	binary.LittleEndian.PutUint16(d.dst[start:], uint16(nameLen))
	at := start + packedHead + nameLen
	var n int
	if line.wholeLine {
		if n = copy(d.dst[at:], line.entry.value); n < len(line.entry.value) {
			return errShort
		}
	} else {
		var err error
		if n, err = d.decodeValue(line.value, at, d.lim.value); err != nil {
			return err
		}
	}
	if err := d.count(nameLen + n); err != nil {
		return err
	}
	d.end(at, n)
	if kind == regularField || trailers && kind != connectionSpecific {
		return nil
	}
	return d.special(kind, start, span{at, at + n})
}

// special deals with a field that means something to the message; its entry, which begins at start, is already packed.
func (d *fieldDecoder) special(kind fieldKind, start int, value span) error {
	v := d.dst[value.from:value.to]
	switch kind {
	case connectionSpecific:
		return errConnectionSpecific
	case fieldTE:
		if !equalFold(v, "trailers") {
			return errTE
		}
	case fieldHost:
		if d.hasHost {
			return errHosts
		}
		d.hasHost, d.host = true, value
	case fieldContentLength:
		n, ok := contentLength(v)
		if !ok {
			return errContentLength
		}
		if d.hasLength {
			if n != d.length {
				return errContentLengths
			}
			d.drop(start) // said twice, meant once: a list of two would be no number
		}
		d.hasLength, d.length = true, n
	case fieldCookie:
		if d.hasCookie {
			return d.joinCookie(start, value)
		}
		d.hasCookie, d.cookie = true, value
	}
	return nil
}

// joinCookie appends a crumb to the cookie that is there already (RFC 9114, 4.2.1). If other fields came in between, the cookie
// moves to the end first: then what the next crumbs cost does not depend on what else the section holds.
func (d *fieldDecoder) joinCookie(start int, crumb span) error {
	const separator = "; "
	crumbLen := crumb.to - crumb.from
	if d.cookie.to != start {
		// Cookie entry, crumb: behind the crumb's entry, then everything down over the place where the cookie was.
		entry := d.cookie.from - cookieHead
		size := d.cookie.to - entry
		if d.n+size+len(separator)+crumbLen > len(d.dst) {
			return errShort
		}
		copy(d.dst[d.n+size+len(separator):], d.dst[crumb.from:crumb.to])
		copy(d.dst[d.n:], d.dst[entry:d.cookie.to])
		// The crumb's own entry [start, d.n) vanishes, so does the old cookie [entry, d.cookie.to).
		moved := size + len(separator) + crumbLen
		copy(d.dst[start:], d.dst[d.n:d.n+moved])
		copy(d.dst[entry:], d.dst[d.cookie.to:start+moved])
		if d.host.from > entry {
			d.host = span{d.host.from - size, d.host.to - size}
		}
		d.cookie = span{start - size + cookieHead, start}
	} else {
		copy(d.dst[d.cookie.to+len(separator):], d.dst[crumb.from:crumb.to]) // downwards: the entry's head is longer
	}
	copy(d.dst[d.cookie.to:], separator)
	d.cookie.to += len(separator) + crumbLen
	d.n = d.cookie.from - cookieHead
	d.entries -= 2
	d.end(d.cookie.from, d.cookie.to-d.cookie.from)
	return nil
}

// view is b as a string, without a copy: for comparisons, and for what documents that it is a view.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
