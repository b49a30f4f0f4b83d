package engine

import (
	"net/http"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/quic-go/quic-go/http3"
)

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// takeStream takes a stream from http3 before anything is sent, so that the response is framed here.
func takeStream(w http.ResponseWriter) *http3.Stream {
	v := reflect.ValueOf(w)
	layout := knownWriter.Load()
	if layout == nil || layout.typ != v.Type() {
		layout = layoutOf(v.Type())
		knownWriter.Store(layout)
	}
	if layout.known && !layout.avoid {
		p := v.UnsafePointer()
		*(*bool)(unsafe.Add(p, layout.hijacked)) = true
		return *(**http3.Stream)(unsafe.Add(p, layout.str))
	}
	return takeSlowly(w)
}

// takeSlowly does so by http3's interface alone. That sends the headers of a response when a handler takes its stream over; under a
// deadline that has passed it comes to nothing. It costs a tenth of a small request.
func takeSlowly(w http.ResponseWriter) *http3.Stream {
	w.(interface{ SetWriteDeadline(time.Time) error }).SetWriteDeadline(past)
	w.Header()["Date"] = nil
	h := w.(http3.HTTPStreamer).HTTPStream()
	h.SetWriteDeadline(time.Time{})
	return h
}

// A writerLayout says where http3's ResponseWriter has what HTTPStream gives and sets.
type writerLayout struct {
	typ           reflect.Type
	known         bool // it has them
	avoid         bool // by a test
	str, hijacked uintptr
}

var knownWriter atomic.Pointer[writerLayout]

func layoutOf(t reflect.Type) *writerLayout {
	layout := &writerLayout{typ: t}
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return layout
	}
	str, ok := t.Elem().FieldByName("str")
	hijacked, too := t.Elem().FieldByName("hijacked")
	if ok && too && str.Type == reflect.TypeFor[*http3.Stream]() && hijacked.Type == reflect.TypeFor[bool]() {
		layout.known, layout.str, layout.hijacked = true, str.Offset, hijacked.Offset
	}
	return layout
}
