package engine

import (
	"encoding/binary"
	"io"

	"github.com/quic-go/qpack"
)

// A literal is a string as it stands in a field section.
type literal struct {
	raw     []byte
	huffman bool
}

// decode writes the literal to the begin of dst and gives its length.
func (l literal) decode(dst []byte) (int, error) {
	if l.huffman {
		return decodeHuffman(dst, l.raw)
	}
	if len(l.raw) > len(dst) {
		return 0, errShort
	}
	return copy(dst, l.raw), nil
}

// A fieldLine is one line of a field section: an entry of the static table, its name with another value, or two literals.
type fieldLine struct {
	entry     *staticEntry // nil: name is a literal
	wholeLine bool         // entry's value counts too
	name      literal
	value     literal
}

// A sectionReader takes the lines out of a field section (RFC 9204, 4.5). The dynamic table has no capacity here, so that a
// reference to it is a decompression failure. qpack.Decoder does the same, but makes strings of all it reads; see BenchmarkDecode.
type sectionReader struct {
	rest []byte
}

// prefix reads what a section begins with. Any Delta Base is legal as long as the Base does not become negative, which with a
// Required Insert Count of 0 the sign bit would make it.
func (r *sectionReader) prefix() error {
	count, ok := r.integer(8)
	if !ok || count != 0 || len(r.rest) == 0 || r.rest[0]&0x80 != 0 {
		return errDecompression
	}
	if _, ok := r.integer(7); !ok {
		return errDecompression
	}
	return nil
}

// next reads one line. io.EOF: there is none left.
func (r *sectionReader) next(line *fieldLine) error {
	if len(r.rest) == 0 {
		return io.EOF
	}
	b := r.rest[0]
	switch {
	case b&0xc0 == 0xc0: // indexed, static
		index, ok := r.integer(6)
		if !ok || index >= uint64(len(staticTable)) {
			return errDecompression
		}
		line.entry, line.wholeLine = &staticTable[index], true
		return nil
	case b&0xd0 == 0x50: // literal with static name reference
		index, ok := r.integer(4)
		if !ok || index >= uint64(len(staticTable)) {
			return errDecompression
		}
		line.entry, line.wholeLine = &staticTable[index], false
	case b&0xe0 == 0x20: // literal with literal name
		line.entry, line.wholeLine = nil, false
		if !r.literal(3, &line.name) {
			return errDecompression
		}
	default: // the dynamic table
		return errDecompression
	}
	if !r.literal(7, &line.value) {
		return errDecompression
	}
	return nil
}

// literal reads a string whose length has a prefix of n bits, with the Huffman flag before it.
func (r *sectionReader) literal(n uint, into *literal) bool {
	if len(r.rest) == 0 {
		return false
	}
	into.huffman = r.rest[0]>>n&1 == 1
	length, ok := r.integer(n)
	if !ok || length > uint64(len(r.rest)) {
		return false
	}
	into.raw, r.rest = r.rest[:length], r.rest[length:]
	return true
}

// integer reads a prefixed integer (RFC 7541, 5.1) of up to 62 bits.
func (r *sectionReader) integer(n uint) (uint64, bool) {
	if len(r.rest) == 0 {
		return 0, false
	}
	mask := byte(1<<n - 1)
	v := uint64(r.rest[0] & mask)
	r.rest = r.rest[1:]
	if v < uint64(mask) {
		return v, true
	}
	for shift := uint(0); len(r.rest) > 0 && shift < 63; shift += 7 {
		b := r.rest[0]
		r.rest = r.rest[1:]
		v += uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v, v < 1<<62
		}
	}
	return 0, false
}

// A staticEntry is an entry of QPACK's static table.
type staticEntry struct {
	name, value string
	packed      string // as it stands in a packed list
	kind        fieldKind
}

// staticTable is the one of the qpack library, read out through its decoder: it exports no other way to it.
var staticTable = func() []staticEntry {
	var entries []staticEntry
	for index := uint64(0); ; index++ {
		section := []byte{0, 0, 0xff, byte(index - 63)}
		if index < 63 {
			section = []byte{0, 0, 0xc0 | byte(index)}
		}
		field, err := qpack.NewDecoder().Decode(section)()
		if err != nil {
			return entries
		}
		packed := binary.LittleEndian.AppendUint16(nil, uint16(len(field.Name)))
		packed = binary.LittleEndian.AppendUint32(packed, uint32(len(field.Value)))
		entries = append(entries, staticEntry{
			name: field.Name, value: field.Value, packed: string(packed) + field.Name + field.Value, kind: kindOf(field.Name),
		})
	}
}()
