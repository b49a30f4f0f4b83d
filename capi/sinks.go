package main

import "sync"

// sinks are those that live, by number: the host's side knows the sink of a session by it, for streams that it opens just when the
// session ends.
var sinks = struct {
	sync.Mutex
	last     uint32
	byNumber map[uint32]*queueSink
}{byNumber: map[uint32]*queueSink{}}

// enrol gives a sink its number.
func (s *queueSink) enrol() *queueSink {
	sinks.Lock()
	defer sinks.Unlock()
	for s.number == 0 || sinks.byNumber[s.number] != nil {
		sinks.last++
		s.number = sinks.last
	}
	sinks.byNumber[s.number] = s
	return s
}

// dismiss forgets a sink that carries nothing any more.
func (s *queueSink) dismiss() {
	sinks.Lock()
	defer sinks.Unlock()
	delete(sinks.byNumber, s.number)
}

// dismiss forgets the sinks of a server that is no more.
func (s *hostServer) dismiss() {
	sinks.Lock()
	defer sinks.Unlock()
	for number, one := range sinks.byNumber {
		if one.server == s {
			delete(sinks.byNumber, number)
		}
	}
}

// sinkOf is the sink with that number; nil when its server is no more.
func sinkOf(number uint32) *queueSink {
	sinks.Lock()
	defer sinks.Unlock()
	return sinks.byNumber[number]
}
