package main

import (
	"errors"
	"testing"
	"unsafe"

	"zigh3/engine/config"
	"zigh3/engine/server"
	"zigh3/engine/sink"
)

// enrolled is how many sinks are known by number.
func enrolled() int {
	sinks.Lock()
	defer sinks.Unlock()
	return len(sinks.byNumber)
}

// A host that tries again and again to give a queue to a server that runs leaves nothing behind.
func TestAQueueThatAServerRefusesLeavesNothing(t *testing.T) {
	s, _ := testSink(t, 1000)
	other, _ := testSink(t, 1000)
	host := s.server
	var inC [1 << 13]uint64                                            // struct server
	*(*unsafe.Pointer)(unsafe.Pointer(&host.c)) = unsafe.Pointer(&inC) // a test cannot name the type
	o, err := config.ParseOptions("127.0.0.1", 0, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	host.engine, err = server.New(o, sink.Handle(host.handle), []sink.Sink{s}, new(sink.Stats))
	if err != nil {
		t.Fatal(err)
	}
	if err := host.engine.Start(); err != nil {
		t.Fatal(err)
	}
	before := enrolled()
	for range 3 {
		var e *sink.Error
		if err := host.addQueue(&queue{events: other.events}); !errors.As(err, &e) || e.Code != sink.ErrWrongState {
			t.Errorf("%v", err)
		}
	}
	if n := enrolled() - before; n != 0 {
		t.Errorf("%d sinks are left", n)
	}
	host.engine.Free()
	<-host.engine.Done()
}
