package get

import (
	"io"
	"os"
	"strings"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/sink"
)

// A body is the request's. Either data is all of it, or it is read as it is sent.
type body struct {
	data    []byte
	file    *os.File // nil: there is none
	size    int64    // -1: not known
	once    bool     // it can be read but once
	started bool
}

// open opens what the options say.
func (b *body) open(o *options, std *cli.Std) error {
	b.size = -1
	var parts []string
	for _, text := range o.data {
		if name, ok := strings.CutPrefix(text, "@"); ok {
			file, err := readAll(name, std)
			if err != nil {
				return cli.Fail(cli.Input, "%v", err)
			}
			text = string(file)
		}
		parts = append(parts, text)
	}
	if len(parts) > 0 {
		b.data = []byte(strings.Join(parts, "&"))
	}
	switch o.upload {
	case "":
		return nil
	case "-":
		b.file, b.once = std.In, true
		return nil
	}
	var err error
	if b.file, err = os.Open(o.upload); err != nil {
		return cli.Fail(cli.Input, "%v", err)
	}
	info, err := b.file.Stat()
	switch {
	case err != nil:
		return cli.Fail(cli.Input, "%v", err)
	case info.IsDir():
		return cli.Fail(cli.Input, "%s is a folder", o.upload)
	case info.Mode().IsRegular():
		b.size = info.Size()
	default:
		b.once = true
	}
	return nil
}

// readAll reads a file; - is standard input.
func readAll(name string, std *cli.Std) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(std.In)
	}
	return os.ReadFile(name)
}

// given reports whether there is one.
func (b *body) given() bool { return b.data != nil || b.file != nil }

// streamed reports whether it is read as it is sent.
func (b *body) streamed() bool { return b.file != nil }

// length is how long it is, -1: not known.
func (b *body) length() int64 {
	if b.file != nil {
		return b.size
	}
	return int64(len(b.data))
}

// drop does without it.
func (b *body) drop() { b.data, b.file = nil, nil }

// again reports whether it can be sent once more.
func (b *body) again() bool { return b.file == nil || !b.started || !b.once }

// feed sends it, once the request is.
func (b *body) feed(t *transfer) *queue.Feed {
	b.started = true
	var from io.Reader = b.file
	if !b.once {
		from = io.NewSectionReader(b.file, 0, b.size) // one before may still be reading
	}
	return t.queue.Feed(from, b.size, func(piece sink.Chunk) {
		f := t.fetch()
		if f == nil {
			piece.Release()
			return
		}
		n := int64(len(piece.Bytes))
		t.uploaded += n
		t.progress.sent(n, b.size)
		f.Write(piece)
	}, func(err error) {
		f := t.fetch()
		switch {
		case f == nil:
		case err != nil:
			t.abort(cli.Fail(cli.Input, "%v", err))
		default:
			f.End(sink.Chunk{})
		}
	})
}
