package client

import (
	"errors"
	"io"
	"os"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A response is what is known of one while it is read. The goroutine that reads it has it.
type response struct {
	tr       *try
	total    uint64
	expected int64 // content-length, -1: not given
	bodyless bool  // there is none whatever content-length says
}

var (
	errCollected = &wire.StreamError{Code: http3.ErrCodeRequestCanceled, Reason: "the response's body is larger than the limit"}
	errShortBody = &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the body ended before the length that content-length says"}
	errLongBody  = &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the body is longer than content-length says"}
	errBody      = &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "a body where the response cannot have one"}
)

// read reads a response, on a goroutine of its own.
func (tr *try) read() {
	r := response{tr: tr, expected: -1}
	f := tr.f
	f.mu.Lock()
	wanted := tr.current()
	if wanted {
		window := f.client.options.ReceiveWindow
		if f.collect > 0 {
			window = 0
		}
		tr.in.Init(&f.mu, &tr.x, window, f.client.options.BodyTimeout)
		tr.x.Reader = message.NewResponseReader(tr.x.S, f.client.limits)
	}
	f.mu.Unlock()
	err := message.ErrUnwanted
	if wanted {
		tr.x.OnEnd(tr.in.Ended)
		err = r.read()
	}
	f.mu.Lock()
	if tr.current() {
		r.settle(err)
	}
	f.running--
	f.unlock()
}

func (r *response) read() error {
	if err := r.tr.x.Reader.ReadResponse(r.head); err != nil {
		return err
	}
	return r.tr.in.Run(r.give)
}

// errWhole: RESPONSE had all of it.
var errWhole = errors.New("all of the response was told")

// head tells of the response's head, and of informational ones before it.
func (r *response) head(head *wire.ResponseHead, fields []byte) error {
	switch {
	case len(fields) > message.LargestPiece:
		return wire.ErrLargeList
	case !head.Informational():
		return r.final(head, fields)
	case !r.emit(&sink.Event{Type: sink.EventInformational, Status: uint32(head.Status), MetaLen: uint32(len(fields))}, fields, nil):
		return message.ErrUnwanted
	}
	return nil
}

// final tells of the response's own head, and of its body as well if that is there as a whole (errWhole).
func (r *response) final(head *wire.ResponseHead, fields []byte) error {
	tr := r.tr
	if tr.tooEarly(head.Status) {
		return message.ErrUnwanted
	}
	r.bodyless = tr.f.isHead || head.Status == 204 || head.Status == 304
	if !r.bodyless {
		r.expected = head.ContentLength
	}
	ev := sink.Event{Type: sink.EventResponse, Flags: tr.earlyFlag(), Status: uint32(head.Status), MetaLen: uint32(len(fields)), Aux: tr.x.ID()}
	if !tr.x.Reader.Ended() && tr.x.Reader.Wait(link.HeaderWait) != nil { // not there: or an error, which shows again
		return r.told(&ev, fields, nil)
	}
	piece := message.GetPiece()
	defer message.PutPiece(piece)
	room := message.LargestPiece
	if w := tr.f.client.options.ReceiveWindow; tr.f.collect == 0 {
		room = min(room, w)
	}
	n, err := tr.x.Reader.Read(piece[:room])
	if cerr := r.check(n, err == io.EOF); cerr != nil {
		n, err = 0, cerr
	}
	whole := err == io.EOF && tr.x.Trailers() == nil
	var data []byte
	if whole {
		ev.Flags, ev.DataLen, data = ev.Flags|sink.FlagEnd, uint32(n), piece[:n]
	}
	if terr := r.told(&ev, fields, data); terr != nil {
		return terr
	}
	switch {
	case whole:
		return errWhole
	case n > 0 && !r.emit(&sink.Event{Type: sink.EventBody, DataLen: uint32(n), Aux: r.total - uint64(n)}, nil, piece[:n]):
		return message.ErrUnwanted
	}
	return err
}

// told emits RESPONSE.
func (r *response) told(ev *sink.Event, fields, data []byte) error {
	if r.tr.f.collect > 0 {
		ev.Flags |= sink.FlagBuffered
	}
	if !r.emit(ev, fields, data) {
		return message.ErrUnwanted
	}
	return nil
}

// give takes body bytes that have come, and delivers them.
func (r *response) give(data []byte, end bool) error {
	if err := r.check(len(data), end); err != nil {
		return err
	}
	if len(data) > 0 && !r.emit(&sink.Event{Type: sink.EventBody, DataLen: uint32(len(data)), Aux: r.total - uint64(len(data))}, nil, data) {
		return message.ErrUnwanted
	}
	return nil
}

// check counts n more bytes and holds them against content-length and limits.
func (r *response) check(n int, end bool) error {
	c := r.tr.c
	r.total += uint64(n)
	c.Stats.Add(sink.StatBodyBytesIn, uint64(n))
	c.Account()
	switch {
	case r.bodyless && r.total > 0:
		return errBody
	case r.expected >= 0 && r.total > uint64(r.expected):
		return errLongBody
	case end && r.expected >= 0 && r.total < uint64(r.expected):
		return errShortBody
	case r.tr.f.collect > 0 && r.total > r.tr.f.collect:
		return errCollected
	}
	return nil
}

// emit delivers an event of the response, unless nobody wants it any more.
func (r *response) emit(ev *sink.Event, meta, data []byte) bool {
	tr, f := r.tr, r.tr.f
	to := f.client.sink
	done := tr.in.Done()
	if done == nil { // the connection's goroutine reads
		done = tr.c.Done
	}
	rec, ok := to.Reserve(sink.Bulk, sink.PayloadSize(len(meta), len(data)), done)
	if !ok {
		return false
	}
	copy(rec.Payload, meta)
	copy(rec.Payload[sink.DataOffset(len(meta)):], data)
	f.mu.Lock()
	wanted := tr.current()
	if wanted {
		f.heard = true
		switch ev.Type {
		case sink.EventResponse:
			f.answered, f.status = true, ev.Status
			f.dropBody()
		case sink.EventBody:
			tr.in.Delivered(len(data))
		}
	}
	f.mu.Unlock() // a goroutine of the fetch's runs: nothing is due
	if !wanted {
		to.Abort(rec)
		return false
	}
	to.Commit(rec, f.complete(ev, tr.c))
	return true
}

// settle does what the end of the response calls for. f.mu is held, and given up in between where an event is emitted.
func (r *response) settle(err error) {
	tr, f := r.tr, r.tr.f
	if err == io.EOF {
		trailers := tr.x.Trailers()
		f.mu.Unlock()
		told := r.emit(&sink.Event{Type: sink.EventBodyEnd, Aux: r.total, MetaLen: uint32(len(trailers))}, trailers, nil)
		f.mu.Lock()
		if !told {
			return
		}
		err = errWhole
	}
	if err == errWhole {
		tr.received = true
		tr.finish()
		return
	}
	var (
		breach *wire.ConnectionError
		fields *wire.FieldError
		stream *wire.StreamError
		remote *quic.StreamError
	)
	switch {
	case errors.As(err, &breach):
		tr.c.Breach(breach.Code, breach.Reason)
		f.failed(invalid(sink.ErrProtocol, breach.Reason), breach.Code)
	case errors.As(err, &fields) && fields.Connection:
		tr.c.Breach(fields.Code, fields.Reason)
		f.failed(invalid(sink.ErrProtocol, fields.Reason), fields.Code)
	case errors.As(err, &fields) && fields.Status == 431:
		f.failed(invalid(sink.ErrTooLarge, fields.Reason), http3.ErrCodeExcessiveLoad)
	case errors.As(err, &fields):
		f.failed(invalid(sink.ErrProtocol, fields.Reason), http3.ErrCodeMessageError)
	case err == errCollected:
		f.failed(message.Outcome{Code: sink.ErrTooLarge, Flags: sink.FlagAborted, Text: errCollected.Reason}, errCollected.Code)
	case errors.As(err, &stream) && stream.Code == http3.ErrCodeExcessiveLoad:
		f.failed(invalid(sink.ErrTooLarge, stream.Reason), stream.Code)
	case err == errShortBody:
		f.failed(invalid(sink.ErrTruncated, errShortBody.Reason), errShortBody.Code)
	case errors.As(err, &stream) && stream.Code == http3.ErrCodeRequestIncomplete:
		f.failed(invalid(sink.ErrTruncated, stream.Reason), http3.ErrCodeMessageError)
	case errors.As(err, &stream):
		f.failed(invalid(sink.ErrProtocol, stream.Reason), stream.Code)
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.failed(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "nothing of the body has come for body_timeout_ms"}, http3.ErrCodeRequestCanceled)
	case errors.As(err, &remote):
		tr.broken(err)
	case err == message.ErrUnwanted: // the connection or the client has gone, and says so
	default:
		tr.broken(err)
	}
}

// invalid is how a fetch ends whose response is none.
func invalid(code sink.Code, reason string) message.Outcome {
	return message.Outcome{Code: code, Flags: sink.FlagAborted | sink.FlagRemote, Text: reason}
}
