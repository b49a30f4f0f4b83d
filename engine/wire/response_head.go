package wire

// A ResponseHead is what a response is about.
type ResponseHead struct {
	Status        int
	MetaLen       int   // bytes of the packed list, which has the fields without :status
	ContentLength int64 // -1: not given
}

// Informational reports whether another head follows.
func (h *ResponseHead) Informational() bool { return h.Status < 200 }

// DecodeResponse turns the field section of a response into a packed list in dst, and checks that it makes one (RFC 9114, 4.2, 4.3.2, 4.5).
// It fails with ErrShort or a *FieldError, whose Status means nothing here.
func DecodeResponse(dst, block []byte, lim *FieldLimits) (ResponseHead, error) {
	d := fieldDecoder{packedWriter: packedWriter{dst: dst}, lim: lim, of: response}
	if err := d.section(block); err != nil {
		return ResponseHead{}, d.overflow(err)
	}
	status, err := d.statusCode()
	if err != nil {
		return ResponseHead{}, err
	}
	return ResponseHead{Status: status, MetaLen: d.n, ContentLength: d.length}, nil
}

// statusLine takes a pseudo-field of a response.
func (d *fieldDecoder) statusLine(kind fieldKind, value string) error {
	switch {
	case kind != pseudoStatus:
		return ErrPseudoOfRequest
	case d.hasStatus:
		return ErrPseudoTwice
	}
	d.hasStatus, d.status = true, value
	return d.count(len(":status") + len(value))
}

// statusCode is the number in :status: three digits. 101 is none: HTTP/3 has no upgrade (RFC 9114, 4.5).
func (d *fieldDecoder) statusCode() (int, error) {
	if !d.hasStatus {
		return 0, ErrNoStatus
	}
	n := 0
	for _, b := range []byte(d.status) {
		if b < '0' || b > '9' {
			return 0, ErrStatus
		}
		n = n*10 + int(b-'0')
	}
	if len(d.status) != 3 || n < 100 {
		return 0, ErrStatus
	}
	if n == 101 {
		return 0, ErrUpgrade
	}
	return n, nil
}

// specialOfResponse deals with a field that means something in a response. Its entry begins at start. What only requests have is like any
// other field there, but for te, which is as connection-specific as the rest (RFC 9114, 4.2).
func (d *fieldDecoder) specialOfResponse(kind fieldKind, value string, start int) error {
	switch kind {
	case connectionSpecific, fieldTE:
		return ErrConnectionSpecific
	case fieldContentLength:
		return d.lengthLine(value, start)
	}
	return nil
}
