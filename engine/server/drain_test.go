package server

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

func TestL05_RequestsWhileDrainingAreRejected(t *testing.T) {
	held := make(chan event, 1)
	f := serve(t, "", 0, func(_ *consumer, e event) {
		if e.Type == sink.EventRequest {
			held <- e
		}
	})
	q := dial(t, f.addr)
	first, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	first.Write(request("GET", "/"))
	first.Close()
	e := within(t, "the request", held)
	control, err := q.AcceptUniStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(control, make([]byte, len(f.server.env.Settings)))
	f.server.Stop(-1)
	goAway := make([]byte, 3)
	if _, err := io.ReadFull(control, goAway); err != nil || !bytes.Equal(goAway, []byte{wire.FrameGoAway, 1, 4}) {
		t.Fatalf("GOAWAY %x, %v", goAway, err)
	}
	second, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	second.Write(request("GET", "/"))
	second.Close()
	var reset *quic.StreamError
	if _, err := io.ReadAll(second); !asError(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
		t.Errorf("the second request got %v", err)
	}
	f.Do(func() { f.send(e, 200, "done") })
	if b, err := io.ReadAll(first); err != nil || !bytes.HasSuffix(b, []byte("done")) {
		t.Errorf("the first request got %q, %v", b, err)
	}
	if e := f.waitStopped(); e.Code != sink.OK {
		t.Errorf("stopped with %d", e.Code)
	}
	if n := f.stats[sink.StatRequestsRejected].Load(); n != 1 {
		t.Errorf("%d rejected", n)
	}
}

// A request that waits for room in the queue was taken: a graceful stop must not close its connection.
func TestL05_StopWaitsForARequestThatIsNotDeliveredYet(t *testing.T) {
	f := serve(t, "", 0, hello)
	q := dial(t, f.addr)
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 1 })
	f.SetCapacity(1)
	full, _ := f.Reserve(sink.Bulk, 1, nil)
	s.Write(request("GET", "/"))
	s.Close()
	eventually(t, "a request that waits", func() bool { return f.Waiting() == 1 })
	f.server.Stop(-1)
	time.Sleep(4 * shortestRest)
	f.Abort(full)
	if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
		t.Errorf("%q, %v", b, err)
	}
	f.waitStopped()
}
