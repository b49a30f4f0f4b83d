package datagram

import (
	"slices"
	"testing"
	"time"

	"zigh3/engine/sink"
)

func TestWhoseDatagramsTheseAre(t *testing.T) {
	const conn = sink.Handle(2)
	for _, c := range []struct {
		name      string
		options   Options
		announced bool
		raw, http bool // delivered as
	}{
		{"HTTP offered and announced", Options{HTTP: true}, true, false, true},
		{"HTTP offered only", Options{HTTP: true}, false, false, false},
		{"both wanted, HTTP announced", Options{HTTP: true, Raw: true}, true, false, true},
		{"both wanted, not announced", Options{HTTP: true, Raw: true}, false, true, false},
		{"raw wanted, HTTP announced", Options{Raw: true}, true, false, false},
		{"raw wanted, not announced", Options{Raw: true}, false, true, false},
		{"raw only, HTTP announced", Options{Raw: true, RawOnly: true}, true, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Incoming, c.options.Outgoing = 8, 16
			f := newFixture(t, c.options)
			raw := f.flows.OpenRaw()
			if (raw != nil) != c.options.Raw {
				t.Fatalf("raw flow: %v", raw)
			}
			if limit, _ := f.sink.sendable(conn); (limit > 0) != c.options.RawOnly {
				t.Errorf("limit %d before SETTINGS", limit)
			}
			f.flows.Start()
			o := f.open(4, h)
			o.Announce(h)
			o.Start()
			f.flows.Settled(c.announced)
			f.come(4, "x")
			if got := f.sink.data(sink.EventQUICDatagram, conn); c.raw != slices.Equal(got, []string{"\x01x"}) || !c.raw && got != nil {
				t.Errorf("raw: %q", got)
			}
			if got := f.sink.data(sink.EventH3Datagram, h); c.http != slices.Equal(got, []string{"x"}) || !c.http && got != nil {
				t.Errorf("HTTP's: %q", got)
			}
			if c.raw || c.http {
				f.expect(counts{in: 1, delivered: 1})
			} else {
				f.expect(counts{in: 1, unknown: 1})
			}
			if limit, _ := f.sink.sendable(conn); (limit == 1200) != c.raw || !c.raw && limit != 0 {
				t.Errorf("limit of raw ones %d", limit)
			}
			if limit, _ := f.sink.sendable(h); (limit == 1199) != c.http || !c.http && limit != 0 {
				t.Errorf("limit of HTTP's %d", limit)
			}
			if !c.http {
				if breach := f.flows.came([]byte{0xff}); breach != nil {
					t.Errorf("a header was looked for: %v", breach)
				}
			}
		})
	}
}

// The first waits for SETTINGS, in vain; when they come after all, they hold.
func TestSettingsThatComeLate(t *testing.T) {
	f := newFixture(t, Options{Incoming: 8, Outgoing: 16, HTTP: true, Raw: true})
	raw := f.flows.OpenRaw()
	f.flows.Start()
	f.come(4, "x")
	f.expect(counts{in: 1, delivered: 1})
	if limit, _ := f.sink.sendable(2); limit != 1200 {
		t.Errorf("limit %d", limit)
	}
	raw.Send([]byte("raw"), 0)
	eventually(t, "it", func() bool { return slices.Equal(f.quic.all(), []string{"raw"}) })
	f.flows.Settled(true)
	if limit, _ := f.sink.sendable(2); limit != 0 {
		t.Errorf("limit %d", limit)
	}
	f.open(4, h).Start()
	f.come(4, "x")
	if got := f.sink.data(sink.EventH3Datagram, h); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%q", got)
	}
}

// Whether raw ones may be sent is known soon, even if none come.
func TestRawOnesMayBeSentWithoutSettings(t *testing.T) {
	f := newFixture(t, Options{Incoming: 8, Outgoing: 16, HTTP: true, Raw: true})
	f.flows.OpenRaw()
	f.flows.Start()
	eventually(t, "the limit", func() bool { limit, _ := f.sink.sendable(2); return limit == 1200 })
}

// What comes while it is not known whose it is waits for SETTINGS, and there is no timer for each.
func TestWaitingForSettings(t *testing.T) {
	f := newFixture(t, plain)
	f.open(4, h).Start()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.come(4, "x")
		f.come(4, "y")
	}()
	eventually(t, "the first", func() bool { return count(&f.stats).in == 1 })
	f.flows.Settled(true)
	<-done
	f.expect(counts{in: 2, delivered: 2})
	if f.flows.patient.Stop() {
		t.Error("a timer runs on")
	}
}

func TestTheConnectionEndsBeforeSettings(t *testing.T) {
	f := newFixture(t, plain)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.come(4, "x")
	}()
	eventually(t, "it", func() bool { return count(&f.stats).in == 1 })
	f.flows.Lost()
	<-done
	f.expect(counts{in: 1, unknown: 1})
	if f.flows.patient.Reset(time.Hour) {
		t.Error("a timer runs on")
	}
	f.flows.patient.Stop()
}

func TestRawOnesThatWaitWhenAllEnds(t *testing.T) {
	f := newFixture(t, Options{Incoming: 8, Outgoing: 16, Raw: true, RawOnly: true})
	f.flows.OpenRaw()
	f.flows.Start()
	f.sink.setRoom(0)
	for range 3 {
		f.come(0, "x")
	}
	f.expect(counts{in: 3})
	f.flows.Lost()
	f.expect(counts{in: 3, ring: 3})
	f.come(0, "x")
	f.expect(counts{in: 4, ring: 3, unknown: 1})
}
