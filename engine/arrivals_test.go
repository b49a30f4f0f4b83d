package engine

import (
	"io"
	"testing"
)

// A session costs goroutines only for what comes: none is there before the first datagram and the first stream of a kind.
func TestSessionsThatDoNothingHaveNoGoroutines(t *testing.T) {
	if !knownArrivals().known {
		t.Fatal("webtransport.Session has another layout than arrivals.go knows")
	}
	f := serveSessions(t, "", echo)
	client, o := f.mustOpen("/wt")
	s := f.session(o.Object)
	running := func() (streams int, datagrams bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.datagrams.mu.Lock()
		defer s.datagrams.mu.Unlock()
		return s.goroutines, s.datagrams.cancel != nil
	}
	if streams, datagrams := running(); streams != 0 || datagrams {
		t.Errorf("%d for streams, for datagrams %v", streams, datagrams)
	}
	client.SendDatagram([]byte("abc"))
	if got, err := client.ReceiveDatagram(ctx(t)); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	if streams, datagrams := running(); streams != 0 || !datagrams {
		t.Errorf("after a datagram: %d for streams, for datagrams %v", streams, datagrams)
	}
}

// Streams are taken with and without knowing where the library tells of them.
func TestW04_StreamsAreTaken(t *testing.T) {
	known := knownArrivals
	defer func() { knownArrivals = known }()
	for _, layout := range []arrivalsLayout{known(), {}} {
		knownArrivals = func() arrivalsLayout { return layout }
		f := serveSessions(t, "", echo)
		s, _ := f.mustOpen("/wt")
		for range 3 {
			both, err := s.OpenStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			both.Write([]byte("both ways"))
			both.Close()
			if got, err := io.ReadAll(both); err != nil || string(got) != "both ways" {
				t.Errorf("known %v: %q, %v", layout.known, got, err)
			}
			out, err := s.OpenUniStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			out.Write([]byte("one way"))
			out.Close()
			in, err := s.AcceptUniStream(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(in); err != nil || string(got) != "one way" {
				t.Errorf("known %v: %q, %v", layout.known, got, err)
			}
		}
	}
}
