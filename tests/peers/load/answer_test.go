package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	ok      = "\x01\x03\x00\x00\xd9"            // HEADERS, :status 200 from the static table
	created = "\x01\x08\x00\x00\x5f\x09\x03201" // HEADERS, :status 201 as a literal
	literal = "\x01\x08\x00\x00\x5f\x09\x03200" // HEADERS, :status 200 as a literal
	hi      = "\x00\x02hi"                      // DATA
	grease  = "\x40\x40\x03xyz"                 // a frame of a type that nobody knows
	trailer = "\x01\x09\x00\x00\x23abc\x02ok"   // HEADERS again, abc: ok
	cutData = "\x00\x09hi"                      // DATA of nine bytes of which two come
)

func TestAnswerIsReadWhateverTheCuts(t *testing.T) {
	for name, c := range map[string]struct{ in, body, err string }{
		"headers and data":      {in: ok + hi + hi, body: "hihi"},
		"a literal status":      {in: literal + hi, body: "hi"},
		"no body":               {in: ok},
		"an unknown frame":      {in: grease + ok + grease + hi + grease, body: "hi"},
		"trailers":              {in: ok + hi + trailer, body: "hi"},
		"another status":        {in: created, err: "status 201"},
		"data first":            {in: hi, err: "DATA before HEADERS"},
		"nothing":               {in: "", err: "the answer ended before its headers"},
		"cut in the data":       {in: ok + cutData, err: "the answer ended inside a frame"},
		"cut in a frame's head": {in: ok + "\x00", err: "the answer ended inside a frame"},
		"no status":             {in: trailer, err: "no :status"},
	} {
		for how, reader := range map[string]io.Reader{
			"at once": strings.NewReader(c.in), "byte by byte": iotest.OneByteReader(strings.NewReader(c.in)),
			"its end with its data": iotest.DataErrReader(strings.NewReader(c.in)),
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				a := answer{keep: true}
				a.reset()
				err := a.read(reader, make([]byte, 64))
				if got := message(err); got != c.err {
					t.Fatalf("error %q, want %q", got, c.err)
				}
				if c.err == "" && (string(a.kept) != c.body || a.body != int64(len(c.body))) {
					t.Fatalf("body %q, %d bytes, want %q", a.kept, a.body, c.body)
				}
			})
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
