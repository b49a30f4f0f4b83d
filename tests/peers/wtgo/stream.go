package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quic-go/webtransport-go"
)

// A stream has one half or both.
type stream struct {
	in interface {
		io.Reader
		CancelRead(webtransport.StreamErrorCode)
		SetReadDeadline(time.Time) error
	}
	out interface {
		io.WriteCloser
		CancelWrite(webtransport.StreamErrorCode)
		SetWriteDeadline(time.Time) error
		Context() context.Context
	}
}

var errNoHalf = errors.New("the stream has no such half")

// open opens a stream, and writes what is given.
func (d *driver) open(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	opened := &stream{}
	if c.Uni {
		out, err := s.OpenUniStreamSync(ctx)
		if err != nil {
			return nil, err
		}
		opened.out = out
	} else {
		both, err := s.OpenStreamSync(ctx)
		if err != nil {
			return nil, err
		}
		opened.in, opened.out = both, both
	}
	number := add(d, d.streams, opened)
	return number, opened.send(c)
}

// accept waits for a stream of the server.
func (d *driver) accept(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	if c.Uni {
		in, err := s.AcceptUniStream(ctx)
		if err != nil {
			return nil, err
		}
		return add(d, d.streams, &stream{in: in}), nil
	}
	both, err := s.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	return add(d, d.streams, &stream{in: both, out: both}), nil
}

func (d *driver) write(c *command) (any, error) {
	s, err := find(d, d.streams, c.Stream)
	if err != nil {
		return nil, err
	}
	return nil, s.send(c)
}

func (d *driver) end(c *command) (any, error) {
	s, err := find(d, d.streams, c.Stream)
	if err != nil {
		return nil, err
	}
	return nil, s.send(&command{End: true})
}

// send writes the command's data, or so many bytes of the pattern, and finishes if it says so. Being stopped is how it failed.
func (s *stream) send(c *command) error {
	if s.out == nil {
		return errNoHalf
	}
	if err := s.out.SetWriteDeadline(time.Now().Add(c.timeout())); err != nil {
		return err
	}
	data := c.Data
	if len(data) == 0 && c.Size > 0 {
		data = pattern(c.Size)
	}
	if len(data) > 0 {
		if _, err := s.out.Write(data); err != nil {
			return failure(err)
		}
	}
	if c.End {
		return s.out.Close()
	}
	return nil
}

// pattern gives n bytes, the byte at offset i being i % 251.
func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

// failure names the code of a stream that was given up.
func failure(err error) error {
	if given, ok := errors.AsType[*webtransport.StreamError](err); ok {
		return fmt.Errorf("stream code %d remote %t", given.ErrorCode, given.Remote)
	}
	return err
}

// read reads count bytes, or to the end. The bytes come back when they are few, their hash always.
func (d *driver) read(c *command) (any, error) {
	s, err := find(d, d.streams, c.Stream)
	if err != nil {
		return nil, err
	}
	if s.in == nil {
		return nil, errNoHalf
	}
	if err := s.in.SetReadDeadline(time.Now().Add(c.timeout())); err != nil {
		return nil, err
	}
	var data []byte
	if c.Count > 0 {
		data = make([]byte, c.Count)
		_, err = io.ReadFull(s.in, data)
	} else {
		data, err = io.ReadAll(s.in)
	}
	if err != nil {
		return nil, failure(err)
	}
	hash := sha256.Sum256(data)
	answer := map[string]any{"bytes": len(data), "sha256": hex.EncodeToString(hash[:])}
	if len(data) <= 4096 {
		answer["data"] = data
	}
	return answer, nil
}

func (d *driver) reset(c *command) (any, error) {
	s, err := find(d, d.streams, c.Stream)
	if err != nil {
		return nil, err
	}
	if s.out == nil {
		return nil, errNoHalf
	}
	s.out.CancelWrite(webtransport.StreamErrorCode(c.Code))
	return nil, nil
}

func (d *driver) stop(c *command) (any, error) {
	s, err := find(d, d.streams, c.Stream)
	if err != nil {
		return nil, err
	}
	if s.in == nil {
		return nil, errNoHalf
	}
	s.in.CancelRead(webtransport.StreamErrorCode(c.Code))
	return nil, nil
}

// written waits for the end of the sending half, and tells why: null when it was finished.
func (d *driver) written(c *command) (any, error) {
	s, err := find(d, d.streams, c.Stream)
	if err != nil {
		return nil, err
	}
	if s.out == nil {
		return nil, errNoHalf
	}
	select {
	case <-s.out.Context().Done():
	case <-time.After(c.timeout()):
		return nil, errors.New("the sending half is still open")
	}
	_, err = s.out.Write([]byte{0})
	if _, ok := errors.AsType[*webtransport.StreamError](err); ok {
		return failure(err).Error(), nil
	}
	return nil, nil
}
