package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"
)

const (
	keptLimit  = 4 << 10  // the longest body that is kept to be looked at
	blockLimit = 16 << 10 // the longest header block
)

// answer reads a response to its end, frame by frame, and checks it on the way: status 200, headers before data, frames whole.
// It counts the body and keeps none of it, unless keep is set.
type answer struct {
	keep bool
	kept []byte
	body int64

	status  int
	partial []byte // the begin of a frame head or of a header block that is not there in full
	data    int64  // what is left of the DATA frame at hand
	skip    int64  // what is left of a frame of another type
}

func (a *answer) reset() {
	a.kept, a.partial = a.kept[:0], a.partial[:0]
	a.body, a.status, a.data, a.skip = 0, 0, 0, 0
}

// read takes a response from r, through buf.
func (a *answer) read(r io.Reader, buf []byte) error {
	for {
		n, err := r.Read(buf)
		if err := a.take(buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return a.end()
		}
		if err != nil {
			return err
		}
	}
}

func (a *answer) take(p []byte) error {
	for len(p) > 0 {
		switch {
		case a.data > 0:
			n := min(a.data, int64(len(p)))
			if a.keep {
				if len(a.kept)+int(n) > keptLimit {
					return errors.New("the body is longer than expected")
				}
				a.kept = append(a.kept, p[:n]...)
			}
			a.data -= n
			a.body += n
			p = p[n:]
		case a.skip > 0:
			n := min(a.skip, int64(len(p)))
			a.skip -= n
			p = p[n:]
		case len(a.partial) > 0: // rare: joined byte by byte with what was left over
			a.partial = append(a.partial, p[0])
			p = p[1:]
			n, err := a.frame(a.partial)
			if err != nil {
				return err
			}
			if n > 0 {
				a.partial = a.partial[:0]
			}
		default:
			n, err := a.frame(p)
			if err != nil {
				return err
			}
			if n == 0 {
				a.partial = append(a.partial, p...)
				return nil
			}
			p = p[n:]
		}
	}
	return nil
}

// frame reads the frame head at the begin of p, and a header block in full. 0: p does not hold enough yet.
func (a *answer) frame(p []byte) (int, error) {
	kind, n, err := quicvarint.Parse(p)
	if err != nil {
		return 0, nil
	}
	length, m, err := quicvarint.Parse(p[n:])
	if err != nil {
		return 0, nil
	}
	n += m
	switch kind {
	case frameData:
		if a.status == 0 {
			return 0, errors.New("DATA before HEADERS")
		}
		a.data = int64(length)
	case frameHeaders:
		if length > blockLimit {
			return 0, fmt.Errorf("a header block of %d bytes", length)
		}
		if len(p) < n+int(length) {
			return 0, nil
		}
		if err := a.headers(p[n : n+int(length)]); err != nil {
			return 0, err
		}
		n += int(length)
	default:
		a.skip = int64(length)
	}
	return n, nil
}

func (a *answer) headers(block []byte) error {
	if a.status != 0 {
		return nil // trailers
	}
	const status200 = 0x80 | 0x40 | 25 // RFC 9204, 4.5.2 and appendix A: the static table's entry 25
	if len(block) > 2 && block[0] == 0 && block[1] == 0 && block[2] == status200 {
		a.status = 200
		return nil
	}
	next := qpack.NewDecoder().Decode(block)
	for {
		field, err := next()
		if errors.Is(err, io.EOF) {
			return errors.New("no :status")
		}
		if err != nil {
			return err
		}
		if field.Name == ":status" {
			if field.Value != "200" {
				return fmt.Errorf("status %s", field.Value)
			}
			a.status = 200
			return nil
		}
	}
}

func (a *answer) end() error {
	switch {
	case a.status == 0:
		return errors.New("the answer ended before its headers")
	case a.data > 0 || a.skip > 0 || len(a.partial) > 0:
		return errors.New("the answer ended inside a frame")
	}
	return nil
}
