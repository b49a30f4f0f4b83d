package wire

import (
	"encoding/binary"
	"io"

	"github.com/quic-go/qpack"
	"golang.org/x/net/http2/hpack"
)

// FieldLimits bounds what a peer's field sections may hold.
type FieldLimits struct {
	Fields int // field lines besides pseudo-fields; the crumbs of a cookie are one
	Name   int // bytes of a name
	Value  int // bytes of a value; :path is bounded by total alone, the router answers a long one
	Total  int // as RFC 9114, 4.2.2 counts: names, values, and 32 for each line
}

// NewFieldLimits gives the limits for an option max_header_bytes.
func NewFieldLimits(maxHeaderBytes int) *FieldLimits {
	return &FieldLimits{Fields: 100, Name: 256, Value: 8 << 10, Total: maxHeaderBytes}
}

// PackedMax is a buffer size that decoding never finds too small.
func (l *FieldLimits) PackedMax() int { return 2*l.Total + 256 }

// DecodeRequest turns a field section into the packed list of include/zig_h3.h, in dst, and checks that it makes a request
// (RFC 9114, 4.2 to 4.4; RFC 9220). It fails with errShort or a *fieldError.
func DecodeRequest(dst, block []byte, lim *FieldLimits) (RequestHead, error) {
	d := fieldDecoder{packedWriter: packedWriter{dst: dst}, lim: lim}
	if err := d.section(block); err != nil {
		return RequestHead{}, d.overflow(err)
	}
	head, err := d.request()
	return head, d.overflow(err)
}

// DecodeTrailers does it for trailers, which have no pseudo-fields. n is the length of the packed list.
func DecodeTrailers(dst, block []byte, lim *FieldLimits) (n int, err error) {
	d := fieldDecoder{packedWriter: packedWriter{dst: dst}, lim: lim, of: trailers}
	if err := d.section(block); err != nil {
		return 0, d.overflow(err)
	}
	return d.n, nil
}

// A sectionKind says what a field section is of: its rules are not the same for all.
type sectionKind uint8

const (
	request sectionKind = iota
	response
	trailers
)

// A fieldDecoder carries one field section from the wire to a packed list.
type fieldDecoder struct {
	packedWriter
	lim *FieldLimits
	of  sectionKind

	total  int // as lim.total counts
	fields int // as lim.fields counts

	pseudo    [pseudoCount]string // they wait until all are there, because they are packed in an order of their own
	seen      [pseudoCount]bool
	status    string // of a response
	hasStatus bool
	started   bool // pseudo-fields are written

	authorityAt int // where its value stands
	hasHost     bool
	host        span
	hasCookie   bool
	cookie      span // the value; its entry begins cookieHead bytes earlier
	hasLength   bool
	length      int64
	hasPriority bool
	priority    Priority
}

const cookieHead = PackedHead + len("cookie")

// overflow turns errShort into what it is when the buffer was as large as any list may be.
func (d *fieldDecoder) overflow(err error) error {
	if err == ErrShort && len(d.dst) >= d.lim.PackedMax() {
		return ErrLargeList
	}
	return err
}

// section takes the lines out of a field section. A line's strings are at most 8/5 of its bytes (Huffman's shortest code has 5
// bits), and callers bound the block; what lines of the static table stand for is only copied, under the limits.
func (d *fieldDecoder) section(block []byte) error {
	if len(block) > 1 && block[0] == 0 && block[1] != 0 {
		rest, ok := behindBase(block[1:])
		if !ok {
			return ErrDecompression
		}
		block = append(sectionPrefix[:], rest...) // which has no room behind it: a copy
	}
	d.length = -1
	d.started = d.of == trailers
	next := qpack.NewDecoder().Decode(block) // a decoder has no state, and costs nothing
	for {
		field, err := next()
		switch err {
		case nil:
			if err := d.line(field.Name, field.Value); err != nil {
				return err
			}
		case io.EOF:
			if !d.started {
				return d.writePseudo()
			}
			return nil
		case hpack.ErrInvalidHuffman:
			return ErrHuffman
		default:
			return ErrDecompression
		}
	}
}

// behindBase skips a Delta Base, which means nothing where nothing refers to a dynamic table: any will do (RFC 9204, 4.5.1.2), and qpack
// takes only 0. The sign bit makes the Base negative, which is forbidden.
func behindBase(b []byte) (rest []byte, ok bool) {
	if b[0] < 0x7f {
		return b[1:], true
	}
	const longest = 9 // bytes; more than any table needs
	for i := 1; b[0] == 0x7f && i < len(b) && i < longest; i++ {
		if b[i]&0x80 == 0 {
			return b[i+1:], true
		}
	}
	return nil, false
}

func (d *fieldDecoder) line(name, value string) error {
	if len(name) > d.lim.Name {
		return ErrLongName
	}
	kind := kindOf(name)
	if kind <= pseudoUnknown {
		return d.pseudoLine(kind, value)
	}
	if !d.started {
		if err := d.writePseudo(); err != nil {
			return err
		}
	}
	if !ConsistsOf(name, inName) {
		return ErrNameBytes
	}
	if kind == fieldCookie && d.hasCookie && d.of == request {
		return d.joinCookie(value)
	}
	if d.fields++; d.fields > d.lim.Fields {
		return ErrManyFields
	}
	start := d.n
	at, err := d.put(name, value, d.lim.Value)
	if err != nil {
		return err
	}
	if err := d.count(len(name) + len(value)); err != nil {
		return err
	}
	switch {
	case kind == regularField, d.of == trailers && kind != connectionSpecific:
		return nil
	case d.of == response:
		return d.specialOfResponse(kind, value, start)
	}
	return d.special(kind, value, start, span{at, d.n})
}

// count adds a line of so many bytes of name and value.
func (d *fieldDecoder) count(bytes int) error {
	if d.total += bytes + 32; d.total > d.lim.Total {
		return ErrLargeList
	}
	return nil
}

// put packs an entry whose value has at most limit bytes, checks them, and says where they stand.
func (d *fieldDecoder) put(name, value string, limit int) (at int, err error) {
	if len(value) > limit {
		return 0, ErrLongValue
	}
	at, ok := d.entry(name, value)
	if !ok {
		return 0, ErrShort
	}
	if !validValue(d.dst[at:d.n]) {
		return 0, ErrValueBytes
	}
	return at, nil
}

func (d *fieldDecoder) pseudoLine(kind fieldKind, value string) error {
	switch {
	case d.of == trailers:
		return errPseudoTrailer
	case d.started:
		return ErrPseudoLate
	case d.of == response:
		return d.statusLine(kind, value)
	case kind >= pseudoCount:
		return ErrPseudoUnknown
	case d.seen[kind]:
		return ErrPseudoTwice
	}
	d.seen[kind], d.pseudo[kind] = true, value
	return nil
}

var pseudoNames = [pseudoCount]string{":method", ":scheme", ":authority", ":path", ":protocol"}

// writePseudo packs the pseudo-fields; what is absent is packed empty, but for :protocol.
func (d *fieldDecoder) writePseudo() error {
	d.started = true
	if d.of == response {
		return nil // what they say stands beside the list
	}
	for kind, name := range pseudoNames {
		kind := fieldKind(kind)
		if kind == pseudoProtocol && !d.seen[kind] {
			continue
		}
		limit := d.lim.Value
		if kind == pseudoPath {
			limit = d.lim.Total
		}
		at, err := d.put(name, d.pseudo[kind], limit)
		if err != nil {
			return err
		}
		if kind == pseudoAuthority {
			d.authorityAt = at
		}
		if d.seen[kind] {
			if err := d.count(len(name) + len(d.pseudo[kind])); err != nil {
				return err
			}
		}
	}
	return nil
}

// special deals with a field that means something to the message. Its entry, which begins at start, is already packed; where says
// where its value stands in it.
func (d *fieldDecoder) special(kind fieldKind, value string, start int, where span) error {
	switch kind {
	case connectionSpecific:
		return ErrConnectionSpecific
	case fieldTE:
		if !equalFold(value, "trailers") {
			return ErrTE
		}
	case fieldHost:
		if d.hasHost {
			return ErrHosts
		}
		d.hasHost, d.host = true, where
	case fieldContentLength:
		return d.lengthLine(value, start)
	case fieldCookie:
		d.hasCookie, d.cookie = true, where
	case fieldPriority:
		if p, given := ParsePriority(value); given {
			d.priority, d.hasPriority = p, true
		}
	}
	return nil
}

// lengthLine takes a content-length whose entry begins at start.
func (d *fieldDecoder) lengthLine(value string, start int) error {
	n, ok := contentLength(value)
	if !ok {
		return ErrContentLength
	}
	if d.hasLength {
		if n != d.length {
			return ErrContentLengths
		}
		d.drop(start) // said twice, meant once: a list of two would be no number
	}
	d.hasLength, d.length = true, n
	return nil
}

// joinCookie appends a crumb to the cookie that is there already (RFC 9114, 4.2.1). If other fields came in between, the cookie
// moves to the end first: then what the next crumbs cost does not depend on what else the section holds.
func (d *fieldDecoder) joinCookie(crumb string) error {
	if len(crumb) > d.lim.Value {
		return ErrLongValue
	}
	if d.cookie.to != d.n && !d.moveCookie() {
		return ErrShort
	}
	const separator = "; "
	at := d.n + len(separator)
	if at+len(crumb) > len(d.dst) {
		return ErrShort
	}
	copy(d.dst[d.n:], separator)
	copy(d.dst[at:], crumb)
	if !validValue(d.dst[at : at+len(crumb)]) {
		return ErrValueBytes
	}
	d.n = at + len(crumb)
	d.cookie.to = d.n
	binary.LittleEndian.PutUint32(d.dst[d.cookie.from-cookieHead+2:], uint32(d.cookie.to-d.cookie.from))
	return d.count(len("cookie") + len(crumb))
}

// moveCookie moves the cookie behind all other fields, or reports that there is no room to do it in.
func (d *fieldDecoder) moveCookie() bool {
	entry := d.cookie.from - cookieHead
	size := d.cookie.to - entry
	if d.n+size > len(d.dst) {
		return false
	}
	copy(d.dst[d.n:], d.dst[entry:d.cookie.to])
	copy(d.dst[entry:], d.dst[d.cookie.to:d.n+size])
	if d.host.from > entry {
		d.host = span{d.host.from - size, d.host.to - size}
	}
	d.cookie = span{d.n - size + cookieHead, d.n}
	return true
}
