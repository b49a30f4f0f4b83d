package engine

import (
	"reflect"
	"sync"
	"unsafe"
)

// maxCapsulesOfTheLibrary is how many capsules webtransport-go lets wait.
const maxCapsulesOfTheLibrary = 4096

// queuedCapsules is how many of a session do. The library keeps that to itself.
func queuedCapsules(s *Session) int {
	session := reflect.ValueOf(s.wt).Elem()
	mu := (*sync.Mutex)(unsafe.Pointer(session.FieldByName("capsuleQueueMx").UnsafeAddr()))
	mu.Lock()
	defer mu.Unlock()
	return session.FieldByName("capsuleQueue").Len()
}

// libraryStreams is how many streams of a session webtransport-go has in one of its tables: outgoingStreams and the like.
func libraryStreams(s *Session, table string) int {
	streams := reflect.ValueOf(s.wt).Elem().FieldByName(table).Elem()
	mu := (*sync.Mutex)(unsafe.Pointer(streams.FieldByName("mx").UnsafeAddr()))
	mu.Lock()
	defer mu.Unlock()
	return streams.FieldByName("m").Len()
}
