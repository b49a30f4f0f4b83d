package wire

import "encoding/binary"

// A fieldKind is what a field's name means for the message that carries it. Pseudo-fields come first.
type fieldKind uint8

const (
	pseudoMethod fieldKind = iota
	pseudoScheme
	pseudoAuthority
	pseudoPath
	pseudoProtocol
	pseudoCount   // how many of them requests have
	pseudoStatus  // that of responses
	pseudoUnknown // all others
	regularField
	fieldHost
	fieldCookie
	fieldContentLength
	fieldTE
	fieldPriority
	connectionSpecific
)

func kindOf(name string) fieldKind {
	if len(name) > 0 && name[0] == ':' {
		switch name {
		case ":method":
			return pseudoMethod
		case ":scheme":
			return pseudoScheme
		case ":authority":
			return pseudoAuthority
		case ":path":
			return pseudoPath
		case ":protocol":
			return pseudoProtocol
		case ":status":
			return pseudoStatus
		}
		return pseudoUnknown
	}
	switch name {
	case "host":
		return fieldHost
	case "cookie":
		return fieldCookie
	case "content-length":
		return fieldContentLength
	case "te":
		return fieldTE
	case FieldPriority:
		return fieldPriority
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": // RFC 9114, 4.2
		return connectionSpecific
	}
	return regularField
}

// What a byte may be part of.
const (
	InToken     = 1 << iota // a method, a protocol (RFC 9110, 5.6.2)
	inName                  // a field name: a token without upper-case letters
	inAuthority             // host and port as RFC 3986 writes them, userinfo excepted
	InPath                  // path and query; bytes beyond ASCII are tolerated, as browsers' servers do
	inScheme
)

var byteClasses = func() (classes [256]uint8) {
	add := func(class uint8, bytes string) {
		for i := range len(bytes) {
			classes[bytes[i]] |= class
		}
	}
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	add(InToken|inName, lower+digits+"!#$%&'*+-.^_`|~")
	add(InToken, upper)
	add(inAuthority, lower+upper+digits+"-._~%!$&'()*+,;=:[]")
	add(inScheme, lower+upper+digits+"+-.")
	for b := 0x21; b < 0x100; b++ {
		if b != 0x7f && b != '#' {
			classes[b] |= InPath
		}
	}
	return classes
}()

// ConsistsOf reports whether s is not empty and all its bytes are of the class.
func ConsistsOf[S string | []byte](s S, class uint8) bool {
	all := class
	for i := range len(s) {
		all &= byteClasses[s[i]]
	}
	return all != 0 && len(s) > 0
}

// validValue reports whether a field value holds no control character but tab (RFC 9110, 5.5).
func validValue(v []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(v) >= 8 {
		w := binary.LittleEndian.Uint64(v)
		del := w ^ 0x7f*ones
		if ((w-0x20*ones)&^w|(del-ones)&^del)&high != 0 && !validBytes(v[:8]) {
			return false
		}
		v = v[8:]
	}
	return validBytes(v)
}

func validBytes(v []byte) bool {
	for _, b := range v {
		if b < 0x20 && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// ValidAuthority: host and port, without userinfo (RFC 9114, 4.3.1).
func ValidAuthority(a []byte) bool {
	if !ConsistsOf(a, inAuthority) {
		return false
	}
	port := -1
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] == ':' {
			port = i
			break
		}
		if a[i] == ']' {
			break
		}
	}
	if port == 0 {
		return false
	}
	if port > 0 {
		for _, b := range a[port+1:] {
			if b < '0' || b > '9' {
				return false
			}
		}
		a = a[:port]
	}
	// Brackets and colons stand in an IPv6 address only.
	bracketed := a[0] == '[' && a[len(a)-1] == ']'
	for i, b := range a {
		switch b {
		case '[':
			if i != 0 || !bracketed {
				return false
			}
		case ']':
			if i != len(a)-1 || !bracketed {
				return false
			}
		case ':':
			if !bracketed {
				return false
			}
		}
	}
	return true
}

// contentLength reads the value of that field: digits only.
func contentLength(v string) (int64, bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, b := range []byte(v) {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	return n, true
}

// equalFold compares with text that is lower-case, whatever the case of v.
func equalFold(v, lower string) bool {
	if len(v) != len(lower) {
		return false
	}
	for i, b := range []byte(v) {
		if b|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// CheckRequestField reports what is wrong with a field that a client is to send: a name that is no lower-case token, or one that HTTP/3 gives
// no application.
func CheckRequestField(name, value []byte) error {
	if !ConsistsOf(name, inName) {
		return ErrNameBytes // a colon is in no name
	}
	if !validValue(value) {
		return ErrValueBytes
	}
	switch kindOf(string(name)) {
	case connectionSpecific:
		return ErrConnectionSpecific
	case fieldTE:
		if !equalFold(string(value), "trailers") {
			return ErrTE
		}
	case fieldContentLength:
		if _, ok := contentLength(string(value)); !ok {
			return ErrContentLength
		}
	}
	return nil
}
