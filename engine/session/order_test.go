package session

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A level is a stream of which only the priority is known.
type level struct{ urgency int8 }

func (l *level) SetPriority(urgency int8, incremental bool) {
	if !incremental {
		panic("groups are to share")
	}
	l.urgency = urgency
}

// finished is closed: who enters with it does not wait.
var finished = func() chan struct{} { ch := make(chan struct{}); close(ch); return ch }()

// In each group the highest order that has something to send is at the usual level, and each order below it one further, as far as there are levels.
func TestSendOrderGivesLevels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type member struct {
			rank   streamRank
			quic   level
			active bool
			group  uint32
			order  int64
		}
		var o sendOrder
		members := make([]*member, rapid.IntRange(1, 14).Draw(t, "streams"))
		for i := range members {
			members[i] = &member{quic: level{usualUrgency}}
		}
		ranked := false
		one := rapid.IntRange(0, len(members)-1)
		above := func(m *member) int {
			var orders []int64
			for _, other := range members {
				if other.active && other.group == m.group && other.order > m.order {
					orders = append(orders, other.order)
				}
			}
			slices.Sort(orders)
			return len(slices.Compact(orders))
		}
		t.Repeat(map[string]func(*rapid.T){
			"rank": func(t *rapid.T) {
				m := members[one.Draw(t, "stream")]
				m.group, m.order = rapid.Uint32Range(0, 2).Draw(t, "group"), rapid.Int64Range(-6, 6).Draw(t, "order")
				ranked = true
				o.rank(&m.rank, m.group, m.order)
			},
			"enter": func(t *rapid.T) {
				m := members[one.Draw(t, "stream")]
				behind := o.enter(&m.rank, &m.quic, finished)
				m.active = m.active || ranked
				if want := ranked && above(m) > 0; behind != want {
					t.Fatalf("behind: %v, with %d above", behind, above(m))
				}
			},
			"leave": func(t *rapid.T) {
				m := members[one.Draw(t, "stream")]
				m.active = false
				o.leave(&m.rank)
			},
			"at once": func(t *rapid.T) {
				m := members[one.Draw(t, "stream")]
				if got := o.mayPass(&m.rank); got != (above(m) == 0) {
					t.Fatalf("may pass: %v, with %d above", got, above(m))
				} else if got && !m.active && m.quic.urgency != usualUrgency {
					t.Fatalf("it goes at urgency %d with nobody before it", m.quic.urgency)
				}
			},
			"all at once": func(t *rapid.T) {
				m := members[one.Draw(t, "stream")]
				o.pass(&m.rank, &m.quic)
				if want := int8(min(usualUrgency+above(m), lowestUrgency)); ranked && m.quic.urgency != want {
					t.Fatalf("it goes at urgency %d, want %d", m.quic.urgency, want)
				}
			},
			"": func(t *rapid.T) {
				for i, m := range members {
					if m.rank.active != m.active {
						t.Fatalf("stream %d has something to send: %v", i, m.rank.active)
					}
					if want := int8(min(usualUrgency+above(m), lowestUrgency)); m.active && m.quic.urgency != want {
						t.Fatalf("stream %d of group %d, order %d, is at urgency %d, want %d", i, m.group, m.order, m.quic.urgency, want)
					}
				}
				for id, group := range o.groups {
					if len(group) == 0 || !slices.IsSortedFunc(group, func(a, b *streamRank) int { return cmp.Compare(b.order, a.order) }) {
						t.Fatalf("group %d has %d streams, sorted or not", id, len(group))
					}
				}
			},
		})
	})
}

// ladder is an order in which n streams, the highest first, have something to send.
func ladder(n int) (o *sendOrder, ranks []*streamRank) {
	o = &sendOrder{}
	for i := range n {
		r := &streamRank{}
		o.rank(r, 0, int64(-i))
		o.enter(r, &level{usualUrgency}, finished)
		ranks = append(ranks, r)
	}
	return o, ranks
}

// Those below QUIC's lowest level wait: until enough of those above have nothing to send, for a while at most, or until they are not wanted.
func TestSendOrderHoldsWhatHasNoLevel(t *testing.T) {
	for _, c := range []struct {
		name  string
		above int // the sixth level is the first that QUIC does not have
		do    func(o *sendOrder, ranks []*streamRank, done chan struct{})
		takes time.Duration
	}{
		{"the last level", 4, nil, 0},
		{"nobody leaves", 5, nil, heldFor},
		{"the highest leaves", 5, func(o *sendOrder, ranks []*streamRank, _ chan struct{}) { o.leave(ranks[0]) }, 0},
		{"one that is not enough leaves", 6, func(o *sendOrder, ranks []*streamRank, _ chan struct{}) { o.leave(ranks[0]) }, heldFor},
		{"two leave", 6, func(o *sendOrder, ranks []*streamRank, _ chan struct{}) { o.leave(ranks[0]); o.leave(ranks[3]) }, 0},
		{"one above is ranked below", 5, func(o *sendOrder, ranks []*streamRank, _ chan struct{}) { o.rank(ranks[2], 0, -1000) }, 0},
		{"one above goes to another group", 5, func(o *sendOrder, ranks []*streamRank, _ chan struct{}) { o.rank(ranks[2], 1, 0) }, 0},
		{"it is not wanted any more", 5, func(_ *sendOrder, _ []*streamRank, done chan struct{}) { close(done) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, ranks := ladder(c.above)
				last, begin := &streamRank{}, time.Now()
				o.rank(last, 0, -100)
				took, done := make(chan time.Duration, 1), make(chan struct{})
				go func() {
					o.enter(last, &level{}, done)
					took <- time.Since(begin)
				}()
				synctest.Wait()
				if c.do != nil {
					if len(took) > 0 {
						t.Fatal("it does not wait")
					}
					c.do(o, ranks, done)
				}
				if got := <-took; got != c.takes {
					t.Errorf("it waits for %v, want %v", got, c.takes)
				}
			})
		})
	}
}

// Streams of one order share a level, and of groups each has its own highest.
func TestSendOrderSharesAndGroups(t *testing.T) {
	var o sendOrder
	var got []string
	for _, r := range []struct {
		group uint32
		order int64
	}{{0, 5}, {0, 5}, {0, -1 << 63}, {1, 1<<63 - 1}, {1, 0}, {2, 0}} {
		rank, quic := &streamRank{}, &level{}
		o.rank(rank, r.group, r.order)
		o.enter(rank, quic, finished)
		got = append(got, fmt.Sprint(quic.urgency))
	}
	if want := []string{"3", "3", "4", "3", "4", "3"}; !slices.Equal(got, want) {
		t.Errorf("urgencies %v, want %v", got, want)
	}
}
