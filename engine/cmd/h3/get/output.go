package get

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/cmd/h3/peer"
)

// outputBytes is how much is written at a time.
const outputBytes = 64 << 10

// An output is where the response goes: standard output, or a file that is made once there is something for it.
type output struct {
	name    string // of the file; empty: standard output
	file    *os.File
	to      *bufio.Writer // nil: not opened
	dropped bool          // bodies go nowhere
}

func (w *output) init(o *options, std *cli.Std) {
	w.name = o.output
	if w.name == "" && !o.json {
		w.file = std.Out
		w.to = bufio.NewWriterSize(w.file, outputBytes)
	}
	w.dropped = w.name == "" && o.json
}

// toTerminal reports whether the body goes to one.
func (w *output) toTerminal() bool { return w.name == "" && w.file != nil && isTerminal(w.file) }

// open opens the file, what is in it from from on given up.
func (w *output) open(from int64) error {
	if w.name == "" || w.dropped || w.to != nil && from == 0 {
		return nil
	}
	var err error
	if w.file, err = os.OpenFile(w.name, os.O_WRONLY|os.O_CREATE, 0o666); err == nil {
		info, serr := w.file.Stat()
		if err = serr; err == nil && info.Mode().IsRegular() {
			if err = w.file.Truncate(from); err == nil {
				_, err = w.file.Seek(from, io.SeekStart)
			}
		}
	}
	if err != nil {
		return cli.Fail(cli.Output, "%v", err)
	}
	w.to = bufio.NewWriterSize(w.file, outputBytes)
	return nil
}

// discard has bodies go nowhere.
func (w *output) discard() { w.dropped = true }

// head writes the head of a response.
func (w *output) head(status int, fields peer.Fields) error {
	if w.dropped {
		return nil
	}
	if w.to == nil {
		if err := w.open(0); err != nil {
			return err
		}
	}
	fmt.Fprintf(w.to, "HTTP/3 %d\r\n", status)
	for _, f := range fields {
		fmt.Fprintf(w.to, "%s: %s\r\n", f.Name, f.Value)
	}
	w.to.WriteString("\r\n") // an error shows at the end, at the latest
	return w.flush()
}

// write writes a part of a body. What has come is seen at once.
func (w *output) write(data []byte) error {
	if w.dropped {
		return nil
	}
	w.to.Write(data)
	return w.flush()
}

func (w *output) flush() error {
	if err := w.to.Flush(); err != nil {
		return cli.Fail(cli.Output, "%v", err)
	}
	return nil
}

// close closes the file. well says that all of it is there.
func (w *output) close(well bool) error {
	if w.name == "" {
		return nil
	}
	if w.to == nil {
		if !well || w.dropped {
			return nil
		}
		if err := w.open(0); err != nil { // an empty body
			return err
		}
	}
	if err := w.file.Close(); err != nil {
		return cli.Fail(cli.Output, "%v", err)
	}
	return nil
}
