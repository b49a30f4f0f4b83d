package wire

import (
	"hash/maphash"
	"net/http"
	"strconv"
	"time"

	"github.com/quic-go/qpack"
)

const (
	// A cache that answers for the header lists in use, not for all that ever were: most handlers give a few lists again and again.
	encodedSlots = 64
	// Lists beyond this are encoded every time. It bounds an encoder's memory to 64 times twice as much.
	encodedLimit = 2 << 10
)

// A FieldEncoder makes QPACK field sections of packed lists. It serves one goroutine.
type FieldEncoder struct {
	out     sectionBuffer
	encoder *qpack.Encoder
	seed    maphash.Seed
	slots   [encodedSlots]encodedList
	large   encodedList // the last list that was too large for a slot

	dateSecond int64
	date       []byte // the encoded date field of that second
	dateText   []byte
	now        func() time.Time
}

// An encodedList remembers what a status and a packed list came to.
type encodedList struct {
	status    int // 0: empty slot
	packed    []byte
	section   []byte
	hasLength bool
	hasDate   bool
}

// A sectionBuffer collects what qpack.Encoder writes.
type sectionBuffer struct{ bytes []byte }

func (b *sectionBuffer) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

// NewFieldEncoder makes an encoder that remembers nothing yet.
func NewFieldEncoder() *FieldEncoder {
	e := &FieldEncoder{seed: maphash.MakeSeed(), now: time.Now}
	e.encoder = qpack.NewEncoder(&e.out)
	return e
}

// AppendResponse appends the field section of a response: its status, the fields of the packed list, then content-length
// (contentLength >= 0) and date (addDate) where the list has none. A response that has no content by its status (1xx, 204) gets no
// content-length at all (RFC 9110, 8.6).
func (e *FieldEncoder) AppendResponse(dst []byte, status int, packed []byte, contentLength int64, addDate bool) []byte {
	slot := &e.slots[(maphash.Bytes(e.seed, packed)+uint64(status))%encodedSlots]
	if slot.status != status || string(slot.packed) != string(packed) {
		slot = e.encode(slot, status, packed)
	}
	dst = append(dst, slot.section...)
	if contentLength >= 0 && !slot.hasLength && hasContent(status) {
		dst = appendContentLength(dst, contentLength)
	}
	if addDate && !slot.hasDate {
		dst = append(dst, e.encodedDate()...)
	}
	return dst
}

// AppendRequest appends the field section of a request: the fields of the packed list, pseudo-fields first, and then content-length
// (contentLength >= 0) where the list has none.
func (e *FieldEncoder) AppendRequest(dst, packed []byte, contentLength int64) []byte {
	return e.AppendResponse(dst, noStatus, packed, contentLength, false)
}

// noStatus is the status of a request's fields.
const noStatus = -1

// encode fills slot, or e.large if the list is too large to be remembered.
func (e *FieldEncoder) encode(slot *encodedList, status int, packed []byte) *encodedList {
	e.begin()
	if status != noStatus {
		e.field(":status", strconv.Itoa(status))
	}
	fresh := encodedList{status: status}
	for list := (PackedReader{Rest: packed}); ; {
		name, value, ok := list.Next()
		if !ok {
			break
		}
		switch string(name) {
		case "content-length":
			if !hasContent(status) {
				continue
			}
			fresh.hasLength = true
		case "date":
			fresh.hasDate = true
		}
		e.field(string(name), string(value))
	}
	e.close()
	if len(packed) > encodedLimit || len(e.out.bytes) > encodedLimit {
		fresh.section = e.out.bytes
		e.large = fresh
		return &e.large
	}
	fresh.packed = append(slot.packed[:0], packed...)
	fresh.section = append(slot.section[:0], e.out.bytes...)
	*slot = fresh
	return slot
}

// AppendTrailers appends the field section of trailers.
func (e *FieldEncoder) AppendTrailers(dst, packed []byte) []byte {
	if len(packed) == 0 {
		return append(dst, sectionPrefix[:]...)
	}
	e.begin()
	for list := (PackedReader{Rest: packed}); ; {
		name, value, ok := list.Next()
		if !ok {
			break
		}
		e.field(string(name), string(value))
	}
	e.close()
	return append(dst, e.out.bytes...)
}

// sectionPrefix is what every field section without references to a dynamic table begins with. qpack.Encoder writes it before the
// first field after a Close.
var sectionPrefix = [2]byte{}

func (e *FieldEncoder) begin() { e.out.bytes = e.out.bytes[:0] }

func (e *FieldEncoder) field(name, value string) {
	// The writer never fails.
	_ = e.encoder.WriteField(qpack.HeaderField{Name: name, Value: value})
}

func (e *FieldEncoder) close() { _ = e.encoder.Close() } // documented to reset it, never fails

// hasContent reports whether a request, or a response with this status, may say how long its content is.
func hasContent(status int) bool {
	return status == noStatus || status >= 200 && status != http.StatusNoContent
}

// appendContentLength encodes content-length: entry 4 of the static table, as it is for "0", else with digits as they are (Huffman
// would save a byte in four).
func appendContentLength(dst []byte, n int64) []byte {
	if n == 0 {
		return append(dst, 0xc0|4)
	}
	at := len(dst) + 1
	dst = append(dst, 0x50|4, 0)
	dst = strconv.AppendInt(dst, n, 10)
	dst[at] = byte(len(dst) - at - 1)
	return dst
}

// encodedDate is the encoded date field. It changes once a second.
func (e *FieldEncoder) encodedDate() []byte {
	now := e.now()
	if second := now.Unix(); second != e.dateSecond || len(e.date) == 0 {
		e.dateSecond = second
		e.dateText = now.UTC().AppendFormat(e.dateText[:0], http.TimeFormat)
		e.begin()
		e.field("date", string(e.dateText))
		e.close()
		e.date = append(e.date[:0], e.out.bytes[len(sectionPrefix):]...)
	}
	return e.date
}
