package session

import (
	"testing"

	"github.com/quic-go/quic-go/quicvarint"
	"pgregory.net/rapid"

	"zigh3/engine/wire"
)

// A flowModel is flow control as the draft tells it, with nothing that is incremental.
type flowModel struct {
	dataLimit, sent    uint64
	streamLimit, ours  [2]uint64
	window, allowed    uint64
	received, consumed uint64
	streams, given     [2]uint64
	theirs, ended      [2]uint64
	waits              []waiter
}

// A waiter is somebody who was told to wait for credit.
type waiter struct{ raised <-chan struct{} }

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// numbers are small ones, and those at the end of what the encoding holds.
func numbers(t *rapid.T, what string, most uint64) uint64 {
	if rapid.Bool().Draw(t, what+" is large") {
		return most - rapid.Uint64Range(0, 40).Draw(t, what)
	}
	return rapid.Uint64Range(0, 4000).Draw(t, what)
}

// Whatever happens in which order: no byte and no stream beyond a limit, none of the credit lost or given twice, everybody who waits wakes
// as soon as there is some, and a limit that the peer is told goes up and never beyond what can be told.
func TestFlowControlIsThatOfASimpleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &flowModel{}
		limits := func(what string) wire.Limits {
			return wire.Limits{Data: numbers(t, what+" bytes", quicvarint.Max), StreamsBidi: numbers(t, what+" bidi", wire.MaxStreams), StreamsUni: numbers(t, what+" uni", wire.MaxStreams)}
		}
		own, peer := limits("own"), limits("peer")
		m.dataLimit, m.streamLimit = peer.Data, [2]uint64{peer.StreamsBidi, peer.StreamsUni}
		m.window, m.allowed = own.Data, own.Data
		m.streams = [2]uint64{own.StreamsBidi, own.StreamsUni}
		m.given = m.streams
		f := &flowControl{}
		f.begin(true, own, peer)
		kind := rapid.SampledFrom([]uint32{Bidirectional, Unidirectional})
		bytes := func(most uint64) uint64 {
			if most == 0 {
				return 0
			}
			return min(most, numbers(t, "n", 1<<61))
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				n := int(numbers(t, "n", 1<<61))
				want := min(uint64(n), m.dataLimit-m.sent)
				if got := f.take(n); uint64(got) != want {
					t.Fatalf("take(%d) of %d: %d", n, m.dataLimit-m.sent, got)
				}
				m.sent += want
			},
			"take all, and give back": func(t *rapid.T) {
				n := int(numbers(t, "n", 1<<61))
				ok := uint64(n) <= m.dataLimit-m.sent
				if got := f.takeAll(n); got != ok {
					t.Fatalf("takeAll(%d) of %d: %v", n, m.dataLimit-m.sent, got)
				}
				if !ok {
					return
				}
				if rapid.Bool().Draw(t, "somebody finds nothing left") {
					if raised, _ := f.credit(); raised != nil {
						m.waits = append(m.waits, waiter{raised})
					}
				}
				if rapid.Bool().Draw(t, "give back") {
					f.giveBack(n)
				} else {
					m.sent += uint64(n)
				}
			},
			"wait": func(t *rapid.T) {
				raised, limit := f.credit()
				if (raised == nil) != (m.sent < m.dataLimit) {
					t.Fatalf("credit() says %v with %d left", raised, m.dataLimit-m.sent)
				}
				if raised != nil {
					if limit != m.dataLimit {
						t.Fatalf("held up by %d, want %d", limit, m.dataLimit)
					}
					m.waits = append(m.waits, waiter{raised})
				}
			},
			"raise the limit of bytes": func(t *rapid.T) {
				limit := numbers(t, "limit", quicvarint.Max)
				little, err := f.raiseData(limit)
				if (err == nil) != (limit > m.dataLimit) {
					t.Fatalf("from %d to %d: %v", m.dataLimit, limit, err)
				}
				if err == nil {
					if little != (limit-m.dataLimit < 1<<10) {
						t.Fatalf("from %d to %d is little: %v", m.dataLimit, limit, little)
					}
					m.dataLimit = limit
				}
			},
			"raise the limit of streams": func(t *rapid.T) {
				k, limit := kind.Draw(t, "kind"), numbers(t, "limit", wire.MaxStreams)
				if err := f.raiseStreams(k, limit); (err == nil) != (limit > m.streamLimit[k]) {
					t.Fatalf("from %d to %d: %v", m.streamLimit[k], limit, err)
				}
				m.streamLimit[k] = max(m.streamLimit[k], limit)
			},
			"open": func(t *rapid.T) {
				k := kind.Draw(t, "kind")
				limit, ok := f.open(k)
				if ok != (m.ours[k] < m.streamLimit[k]) || !ok && limit != m.streamLimit[k] {
					t.Fatalf("open: %v, %d with %d of %d", ok, limit, m.ours[k], m.streamLimit[k])
				}
				if ok && rapid.Bool().Draw(t, "QUIC does not") {
					f.unopen(k)
				} else if ok {
					m.ours[k]++
				}
			},
			"a stream of the peer's": func(t *rapid.T) {
				k := kind.Draw(t, "kind")
				if m.theirs[k] == m.given[k] { // a peer that keeps to its limit
					return
				}
				m.theirs[k]++
				if !f.theirStream(k) {
					t.Fatalf("stream %d of %d is one too many", m.theirs[k], m.given[k])
				}
			},
			"the end of one": func(t *rapid.T) {
				k := kind.Draw(t, "kind")
				if m.ended[k] == m.theirs[k] {
					return
				}
				m.ended[k]++
				m.limit(t, f.theirStreamEnded(k), &m.given[k], m.ended[k]+m.streams[k], max(1, m.streams[k]/2), wire.MaxStreams)
			},
			"bytes of the peer's": func(t *rapid.T) {
				n := bytes(m.allowed - m.received)
				m.received += n
				if !f.receive(int(n)) {
					t.Fatalf("%d bytes of %d are too many", m.received, m.allowed)
				}
			},
			"bytes are done with": func(t *rapid.T) {
				n := bytes(m.received - m.consumed)
				m.consumed += n
				m.limit(t, f.consumed(n), &m.allowed, m.consumed+m.window, max(1, m.window/4), quicvarint.Max)
			},
			"": func(t *rapid.T) {
				for _, w := range m.waits {
					if isClosed(w.raised) {
						continue
					}
					if m.sent < m.dataLimit {
						t.Fatalf("somebody waits with %d bytes left", m.dataLimit-m.sent)
					}
				}
				if f.sent != m.sent || f.opened != m.ours || f.received != m.received || f.done != m.consumed {
					t.Fatalf("sent %d, opened %v, received %d, done %d; want %+v", f.sent, f.opened, f.received, f.done, m)
				}
			},
		})
	})
}

// limit holds a limit that the peer is told against what it ought to be.
func (m *flowModel) limit(t *rapid.T, got uint64, was *uint64, next, worth, most uint64) {
	next = min(next, most)
	switch {
	case got == 0 && next-*was >= worth:
		t.Fatalf("the peer is not told that its limit goes from %d to %d", *was, next)
	case got != 0 && (got != next || got-*was < worth):
		t.Fatalf("the peer is told %d, from %d; want %d", got, *was, next)
	}
	*was = max(*was, got)
}

// One byte and one stream beyond what the peer was allowed, exactly.
func TestFlowControlSeesTheFirstTooMany(t *testing.T) {
	f := &flowControl{}
	f.begin(true, wire.Limits{Data: 10, StreamsBidi: 1, StreamsUni: 2}, wire.Limits{})
	got := []bool{f.receive(10), f.receive(1), f.theirStream(Bidirectional), f.theirStream(Bidirectional), f.theirStream(Unidirectional), f.theirStream(Unidirectional), f.theirStream(Unidirectional)}
	want := []bool{true, false, true, false, true, true, false}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
}

// Credit that is given back wakes who found nothing left meanwhile: the peer, which has had nothing, would not.
func TestCreditThatIsGivenBackWakes(t *testing.T) {
	f := &flowControl{}
	f.begin(true, wire.Limits{}, wire.Limits{Data: 100})
	if !f.takeAll(100) || f.take(1) != 0 {
		t.Fatal("all of it was to be had, and no more")
	}
	raised, _ := f.credit()
	if f.giveBack(100); !isClosed(raised) || f.take(1000) != 100 {
		t.Error("who waits is not told, or there is less than before")
	}
}

// At the end of what can be told, the peer is told of it once.
func TestLimitsEndWhereTheEncodingDoes(t *testing.T) {
	f := &flowControl{}
	f.begin(true, wire.Limits{Data: 1 << 60, StreamsUni: 1 << 58}, wire.Limits{})
	f.theirs[Unidirectional], f.theirsEnded[Unidirectional] = wire.MaxStreams, wire.MaxStreams-2
	f.allowed, f.received, f.done = 1<<61, 1<<61, quicvarint.Max-1<<60
	if n, again := f.theirStreamEnded(Unidirectional), f.theirStreamEnded(Unidirectional); n != wire.MaxStreams || again != 0 {
		t.Errorf("of streams %d, %d", n, again)
	}
	if n, again := f.consumed(1), f.consumed(1<<59); n != quicvarint.Max || again != 0 {
		t.Errorf("of bytes %d, %d", n, again)
	}
}

// Without flow control nothing is limited, whatever was announced.
func TestFlowControlThatIsOff(t *testing.T) {
	f := &flowControl{}
	f.begin(false, wire.Limits{}, wire.Limits{})
	if n := f.take(1000); n != 1000 {
		t.Errorf("%d of 1000 bytes may go", n)
	}
	if raised, _ := f.credit(); raised != nil {
		t.Error("somebody is to wait")
	}
	if _, ok := f.open(Bidirectional); !ok || !f.theirStream(Bidirectional) || !f.receive(1000) {
		t.Error("a stream or its bytes are refused")
	}
	if n := f.consumed(1000) + f.theirStreamEnded(Bidirectional) + f.streamsDue(Bidirectional); n != 0 {
		t.Errorf("the peer is told %d", n)
	}
}

// A peer may say once for each limit that it is held up.
func TestBlockedIsNewsOncePerLimit(t *testing.T) {
	f := &flowControl{}
	f.begin(true, wire.Limits{Data: 8, StreamsBidi: 1, StreamsUni: 1}, wire.Limits{})
	if !f.blocked(ofBytes) || f.blocked(ofBytes) {
		t.Error("the first limit of bytes")
	}
	f.received = 8
	if f.consumed(8) != 16 {
		t.Fatal("no second limit")
	}
	if f.blocked(ofBytes) { // the second time above was for this one
		t.Error("three times for two limits")
	}
	if !f.blocked(Unidirectional) || f.blocked(Unidirectional) || !f.blocked(Bidirectional) {
		t.Error("limits of streams")
	}
}

// Streams that were refused before the session was open count as the peer counts them: its limit is raised at once where that is due.
func TestStreamsRefusedBeforeTheSession(t *testing.T) {
	f := &flowControl{}
	f.theirsRefused([2]uint64{Bidirectional: 1, Unidirectional: 3}, 0)
	f.begin(true, wire.Limits{StreamsBidi: 4, StreamsUni: 4}, wire.Limits{})
	if bidi, uni := f.streamsDue(Bidirectional), f.streamsDue(Unidirectional); bidi != 0 || uni != 7 {
		t.Errorf("the peer is told %d and %d", bidi, uni)
	}
	if f.theirStream(Unidirectional); f.theirs[Unidirectional] != 4 {
		t.Errorf("%d", f.theirs[Unidirectional])
	}
}
