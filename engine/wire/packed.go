package wire

import "encoding/binary"

// PackedHead is what each entry of a packed list begins with: u16 name length, u32 value length.
const PackedHead = 6

// A span is a part of a buffer.
type span struct{ from, to int }

// A packedWriter writes a packed list into a buffer of fixed size.
type packedWriter struct {
	dst     []byte
	n       int // bytes written
	entries int
}

// entry writes an entry and says where its value begins, or reports that there is no room for it.
func (w *packedWriter) entry(name, value string) (at int, ok bool) {
	at = w.n + PackedHead + len(name)
	if at+len(value) > len(w.dst) {
		return 0, false
	}
	w.n = len(AppendPacked(w.dst[:w.n], name, value)) // in place: there is room
	w.entries++
	return at, true
}

// drop takes the last entry, which begins at start, back.
func (w *packedWriter) drop(start int) {
	w.n = start
	w.entries--
}

// value is the value that begins at at, of the entry whose head says how long it is.
func (w *packedWriter) value(at int) []byte {
	length := binary.LittleEndian.Uint32(w.dst[at-len(":authority")-4:])
	return w.dst[at : at+int(length)]
}

// A PackedReader takes a packed list apart.
type PackedReader struct{ Rest []byte }

// Next gives views of the next entry. ok is false at the end, and where the list is cut.
func (r *PackedReader) Next() (name, value []byte, ok bool) {
	if len(r.Rest) < PackedHead {
		return nil, nil, false
	}
	n := int(binary.LittleEndian.Uint16(r.Rest))
	v := uint64(binary.LittleEndian.Uint32(r.Rest[2:]))
	body := r.Rest[PackedHead:]
	if uint64(n)+v > uint64(len(body)) {
		return nil, nil, false
	}
	name, value, r.Rest = body[:n:n], body[n:n+int(v):n+int(v)], body[n+int(v):]
	return name, value, true
}

// AppendPacked appends an entry to a packed list.
func AppendPacked(dst []byte, name, value string) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(name)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	dst = append(dst, name...)
	return append(dst, value...)
}
