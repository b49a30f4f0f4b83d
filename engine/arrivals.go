package engine

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/quic-go/webtransport-go"
)

// An arrivalsLayout says where a session of webtransport-go has the channels by which its own AcceptStream and AcceptUniStream learn that
// the peer has opened a stream: in structs that it points to.
type arrivalsLayout struct {
	known                   bool
	bidi, uni               uintptr // of the pointers
	bidiChannel, uniChannel uintptr // in what they point to
}

// The fields are not exported: of another version of the library nothing may be known.
var knownArrivals = sync.OnceValue(func() (layout arrivalsLayout) {
	session := reflect.TypeFor[webtransport.Session]()
	find := func(name string) (pointer, channel uintptr, ok bool) {
		streams, ok := session.FieldByName(name)
		if !ok || streams.Type.Kind() != reflect.Pointer || streams.Type.Elem().Kind() != reflect.Struct {
			return 0, 0, false
		}
		queue, ok := streams.Type.Elem().FieldByName("acceptQueue")
		if !ok || queue.Type.Kind() != reflect.Struct {
			return 0, 0, false
		}
		c, ok := queue.Type.FieldByName("c")
		return streams.Offset, queue.Offset + c.Offset, ok && c.Type == reflect.TypeFor[chan struct{}]()
	}
	var bidi, uni bool
	layout.bidi, layout.bidiChannel, bidi = find("incomingStreams")
	layout.uni, layout.uniChannel, uni = find("incomingUniStreams")
	layout.known = bidi && uni
	return layout
})

// arrivalsOf gives the channels on which a session tells of streams. Who waits on them needs no goroutine in AcceptStream and none in
// AcceptUniStream for streams that may never come: a goroutine costs more than all else that a session needs here. To receive takes the
// word away, so that somebody has to accept from then on.
func arrivalsOf(wt *webtransport.Session) (bidi, uni <-chan struct{}, known bool) {
	at := knownArrivals()
	if !at.known {
		return nil, nil, false
	}
	channel := func(pointer, channel uintptr) <-chan struct{} {
		streams := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(wt), pointer))
		return *(*chan struct{})(unsafe.Add(streams, channel))
	}
	return channel(at.bidi, at.bidiChannel), channel(at.uni, at.uniChannel), true
}
