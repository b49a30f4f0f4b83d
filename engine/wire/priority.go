package wire

import (
	"github.com/dunglas/httpsfv"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Types of PRIORITY_UPDATE frames on a client's control stream (RFC 9218, 7.2).
const (
	FramePriorityUpdateRequest uint64 = 0xf0700
	FramePriorityUpdatePush    uint64 = 0xf0701
)

// FieldPriority is the header field that has a priority.
const FieldPriority = "priority"

// A Priority is what RFC 9218 has of a response's.
type Priority struct {
	Urgency     uint8 // 0, before everything else, to 7
	Incremental bool  // parts of it are of use
}

// DefaultPriority is that of a request that does not say.
var DefaultPriority = Priority{Urgency: 3}

// ParsePriority reads the value of a priority field; several of them are one, with commas between. What it does not know, and what has a
// value that it cannot have, it leaves out (RFC 9218, 4); the whole field if it is none. given is false when it says neither of the two.
func ParsePriority[T string | []byte](field T) (p Priority, given bool) {
	if p, given, ok := usualPriority(field); ok {
		return p, given
	}
	p = DefaultPriority
	d, err := httpsfv.UnmarshalDictionary([]string{string(field)})
	if err != nil {
		return p, false
	}
	if u, ok := bareItem[int64](d, "u"); ok && u >= 0 && u <= 7 {
		p.Urgency, given = uint8(u), true
	}
	if i, ok := bareItem[bool](d, "i"); ok {
		p.Incremental, given = i, true
	}
	return p, given
}

// bareItem is the value of a member of d that is an item of this type.
func bareItem[V int64 | bool](d *httpsfv.Dictionary, key string) (value V, ok bool) {
	member, _ := d.Get(key)
	item, ok := member.(httpsfv.Item)
	if !ok {
		return value, false
	}
	value, ok = item.Value.(V)
	return value, ok
}

// usualPriority reads what nearly all clients send, without the garbage of a parser. ok is false for everything else.
func usualPriority[T string | []byte](field T) (p Priority, given, ok bool) {
	p = DefaultPriority
	for rest := field; ; {
		switch n := len(rest); {
		case n >= 3 && rest[0] == 'u' && rest[1] == '=' && rest[2] >= '0' && rest[2] <= '7':
			p.Urgency, rest = rest[2]-'0', rest[3:]
		case n >= 4 && rest[0] == 'i' && rest[1] == '=' && rest[2] == '?' && (rest[3] == '0' || rest[3] == '1'):
			p.Incremental, rest = rest[3] == '1', rest[4:]
		case n >= 1 && rest[0] == 'i':
			p.Incremental, rest = true, rest[1:]
		default:
			return p, false, false
		}
		if len(rest) == 0 {
			return p, true, true
		}
		if rest[0] != ',' {
			return p, false, false
		}
		for rest = rest[1:]; len(rest) > 0 && rest[0] == ' '; {
			rest = rest[1:]
		}
	}
}

// AppendPriority appends the value of a priority field. It says both, also where that is the default: a server's answer that leaves one
// out leaves what the client said.
func AppendPriority(dst []byte, p Priority) []byte {
	dst = append(dst, 'u', '=', '0'+min(p.Urgency, 7))
	if p.Incremental {
		return append(dst, ", i"...)
	}
	return append(dst, ", i=?0"...)
}

// A PriorityUpdate is the payload of a PRIORITY_UPDATE frame.
type PriorityUpdate struct {
	ID       uint64 // of a request's stream, or of a push
	Priority Priority
	Given    bool // as ParsePriority has it: without, the priority is the default again
}

var (
	errCutUpdate = &ConnectionError{http3.ErrCodeFrameError, "PRIORITY_UPDATE without an id"}
	errUpdateID  = &ConnectionError{http3.ErrCodeIDError, "PRIORITY_UPDATE for a stream that is no request's"}
)

// ParsePriorityUpdate reads the payload of a PRIORITY_UPDATE frame of type typ. Whether the stream or the push is one that there can be
// is for the caller to see, and so is whether its peer may send such frames at all. Its failures are *ConnectionError.
func ParsePriorityUpdate(typ uint64, payload []byte) (PriorityUpdate, error) {
	id, n, err := quicvarint.Parse(payload)
	if err != nil {
		return PriorityUpdate{}, errCutUpdate
	}
	if typ == FramePriorityUpdateRequest && id%4 != 0 {
		return PriorityUpdate{}, errUpdateID
	}
	u := PriorityUpdate{ID: id}
	u.Priority, u.Given = ParsePriority(payload[n:])
	return u, nil
}

// AppendPriorityUpdate appends the payload of a PRIORITY_UPDATE frame.
func AppendPriorityUpdate(dst []byte, id uint64, p Priority) []byte {
	return AppendPriority(quicvarint.Append(dst, id), p)
}
