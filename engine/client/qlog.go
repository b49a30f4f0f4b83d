package client

import (
	"bufio"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlogwriter"

	"zigh3/engine/sink"
)

// A qlog writes what QUIC does on each connection to a file of its own.
type qlog struct {
	client *Client
	folder string
	most   int64        // bytes of a file, and one record
	left   atomic.Int64 // files
}

// newQlog makes one for a folder, which has to be there.
func newQlog(c *Client) (*qlog, error) {
	o := c.options
	info, err := os.Stat(o.QlogPath)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: o.QlogPath, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, &sink.Error{Code: sink.ErrConfig, Text: "qlog_path is no folder: " + err.Error(), Err: err}
	}
	q := &qlog{client: c, folder: o.QlogPath, most: o.QlogMaxBytes}
	q.left.Store(int64(o.QlogMaxConnections))
	return q, nil
}

// trace is what quic.Config.Tracer is to be. nil: the connection is not traced.
func (q *qlog) trace(_ context.Context, isClient bool, id quic.ConnectionID) qlogwriter.Trace {
	if q.left.Add(-1) < 0 {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(q.folder, id.String()+"_client.sqlog"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		q.failed(err)
		return nil
	}
	seq := qlogwriter.NewConnectionFileSeq(&qlogFile{q: q, f: f, to: bufio.NewWriter(f), left: q.most}, isClient, id)
	q.client.goroutines.Add(1) // until Close, behind which there is nothing more
	go sink.Guard("qlog", seq.Run)
	return seq
}

func (q *qlog) failed(err error) { q.client.warn("qlog: " + err.Error()) }

// A qlogFile is one of these files. It never fails: quic-go would print that.
type qlogFile struct {
	q    *qlog
	f    *os.File
	to   *bufio.Writer
	left int64
	over bool // nothing more is written
}

// Write implements io.Writer. It is called with parts of records, each of which begins with a separator in a call of its own.
func (w *qlogFile) Write(p []byte) (int, error) {
	if w.left <= 0 && len(p) == 1 && p[0] == qlogwriter.RecordSeparator {
		w.over = true
	}
	if w.over {
		return len(p), nil
	}
	w.left -= int64(len(p))
	if _, err := w.to.Write(p); err != nil {
		w.over = true
		w.q.failed(err)
	}
	return len(p), nil
}

// Close implements io.Closer.
func (w *qlogFile) Close() error {
	defer w.q.client.goroutines.Done()
	err := w.to.Flush()
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	if err != nil && !w.over {
		w.q.failed(err)
	}
	return nil
}

// A tracer is what quic.Config.Tracer may be.
type tracer = func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace

// bothTracers makes one of two.
func bothTracers(one, other tracer) tracer {
	return func(ctx context.Context, isClient bool, id quic.ConnectionID) qlogwriter.Trace {
		a, b := one(ctx, isClient, id), other(ctx, isClient, id)
		switch {
		case a == nil:
			return b
		case b == nil:
			return a
		}
		return bothTraces{a, b}
	}
}

type bothTraces [2]qlogwriter.Trace

// AddProducer implements qlogwriter.Trace.
func (t bothTraces) AddProducer() qlogwriter.Recorder {
	return bothRecorders{t[0].AddProducer(), t[1].AddProducer()}
}

type bothRecorders [2]qlogwriter.Recorder

// RecordEvent implements qlogwriter.Recorder.
func (r bothRecorders) RecordEvent(e qlogwriter.Event) {
	for _, one := range r {
		one.RecordEvent(e)
	}
}

// Close implements qlogwriter.Recorder.
func (r bothRecorders) Close() error {
	for _, one := range r {
		one.Close()
	}
	return nil
}
