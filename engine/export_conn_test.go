package engine

import (
	"reflect"
	"unsafe"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/webtransport-go"
)

// connOfSession is the connection of a client's session, which the library keeps to itself.
func connOfSession(s *webtransport.Session) *quic.Conn {
	field := reflect.ValueOf(s).Elem().FieldByName("conn")
	return *(**quic.Conn)(unsafe.Pointer(field.UnsafeAddr()))
}

func closeConnOf(s *webtransport.Session) { connOfSession(s).CloseWithError(0x10c, "gone") }
