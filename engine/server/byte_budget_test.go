package server

import (
	"fmt"
	"math/rand"
	"testing"
)

// unused fails unless everything was given back.
func (b *byteBudget) unused(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left != b.size || b.waiting != 0 {
		t.Errorf("%d of %d bytes left, %d wait", b.left, b.size, b.waiting)
	}
	for i := range b.classes {
		if c := &b.classes[i]; c.held != 0 || c.bodies.Len() != 0 || c.waits.Len() != 0 {
			t.Errorf("class %d: %d bytes of %d bodies, %d wait", i, c.held, c.bodies.Len(), c.waits.Len())
		}
	}
}

// used is how many bytes are taken, and waits how many shares wait for some.
func (b *byteBudget) used() (used int64, waits int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size - b.left, b.waiting
}

// A comingBody is one of a model of bodies that come by pieces.
type comingBody struct {
	share
	length, has int64
	limit       int64 // what the budget knows of its length
	wants       int64
	wait        <-chan struct{}
}

// came reports whether what the body waits for is there.
func (c *comingBody) there() bool {
	select {
	case <-c.wait:
		return true
	default:
		return false
	}
}

// Bodies of any length, known or not, come in any order, some are given up, some are never read: those that are left all become whole, as long
// as whole ones are answered; and never is there more than the budget.
func TestEveryBodyBecomesWhole(t *testing.T) {
	for seed := range int64(300) {
		random := rand.New(rand.NewSource(seed))
		const largest = 1 << 20
		b := &byteBudget{}
		b.init(largest+random.Int63n(2*largest)*random.Int63n(2), largest)
		piece := int64(1) << (10 + random.Intn(7))
		var coming, whole []*comingBody
		for range 1 + random.Intn(60) {
			c := &comingBody{length: 1 + random.Int63n(largest>>random.Intn(12)), limit: largest}
			if random.Intn(2) == 0 {
				c.limit = c.length
			}
			b.open(&c.share, nil, c.limit)
			coming = append(coming, c)
		}
		for len(coming)+len(whole) > 0 {
			// Who can go on?
			var able []*comingBody
			for _, c := range coming {
				if c.wait == nil || c.there() {
					able = append(able, c)
				}
			}
			if len(able) == 0 && len(whole) == 0 {
				t.Fatalf("seed %d: %d bodies wait for one another", seed, len(coming))
			}
			if len(whole) > 0 && (len(able) == 0 || random.Intn(20) == 0) {
				whole[0].give()
				whole = whole[1:]
				continue
			}
			c := able[random.Intn(len(able))]
			remove := func() {
				for i := range coming {
					if coming[i] == c {
						coming = append(coming[:i], coming[i+1:]...)
						return
					}
				}
			}
			switch {
			case random.Intn(200) == 0:
				c.give()
				remove()
			case c.wait == nil:
				c.wants = min(piece, c.limit-c.has)
				if c.wait = c.take(c.wants); c.wait == nil {
					done := make(chan struct{})
					close(done)
					c.wait = done
				}
			default:
				n := min(c.wants, c.length-c.has)
				c.put(c.wants - n)
				c.wait, c.has = nil, c.has+n
				if c.has == c.length {
					c.complete()
					whole = append(whole, c)
					remove()
				}
			}
			sum := int64(0)
			for _, list := range [][]*comingBody{coming, whole} {
				for _, c := range list {
					if c.held < c.has || c.held > c.limit {
						t.Fatalf("seed %d: a body of %d bytes with a share of %d", seed, c.has, c.held)
					}
					sum += c.held
				}
			}
			if sum != b.size-b.left || b.left < 0 {
				t.Fatalf("seed %d: %d of %d bytes left, %d are taken", seed, b.left, b.size, sum)
			}
		}
		b.unused(t)
	}
}

// A wait that ends without bytes leaves nothing behind, and lets those behind it go on.
func TestAWaitForBytesEnds(t *testing.T) {
	for _, end := range []string{"withdrawn", "given back"} {
		t.Run(end, func(t *testing.T) {
			b := &byteBudget{}
			b.init(100, 100)
			var held, large, small share
			if !b.whole(&held, 60) {
				t.Fatal("no room for 60 of 100")
			}
			b.open(&large, nil, 100)
			b.open(&small, nil, 100)
			first := large.take(50)
			second := small.take(40)
			if first == nil || second == nil {
				t.Fatal("taken though others wait, or there was no room")
			}
			if b.whole(&share{}, 1) {
				t.Error("one that is whole came before those that wait")
			}
			if end == "withdrawn" {
				if !large.withdraw() {
					t.Error("withdrawn, but the bytes had come")
				}
			} else {
				large.give()
			}
			select {
			case <-second:
			default:
				t.Error("the one behind it still waits")
			}
			if small.withdraw() {
				t.Error("a wait that was over was withdrawn")
			}
			large.give()
			if wait := large.take(10); wait != nil {
				t.Error("one whose bytes nobody wants waits")
			}
			small.give()
			held.give()
			held.give()
			b.unused(t)
		})
	}
}

// A body that is whole has its bytes still, but wants no more: what is left is for others.
func TestAWholeBodyHoldsUpNobody(t *testing.T) {
	b := &byteBudget{}
	b.init(100, 100)
	var one, other share
	b.open(&one, nil, 100)
	b.open(&other, nil, 100)
	if one.take(60) != nil {
		t.Fatal("the first waits")
	}
	if wait := other.take(40); wait == nil {
		t.Fatal("two that may come to need 100 bytes each have begun together")
	} else {
		one.complete()
		select {
		case <-wait:
		default:
			t.Error("the other waits for one that is whole")
		}
	}
	if used, _ := b.used(); used != 100 {
		t.Errorf("%d bytes are used", used)
	}
	one.give()
	other.give()
	b.unused(t)
}

// Those that wait for bytes get them in the order in which they came, however large they are.
func TestBytesAreGivenInOrder(t *testing.T) {
	b := &byteBudget{}
	b.init(1000, 1000)
	var held share
	b.whole(&held, 1000)
	order := ""
	var shares [6]share
	var waits [6]<-chan struct{}
	for i := range shares {
		b.open(&shares[i], nil, int64(10+100*(i%3)))
		waits[i] = shares[i].take(10)
	}
	held.give()
	for i := range shares {
		select {
		case <-waits[i]:
			order += fmt.Sprint(shares[i].turn)
		default:
			t.Errorf("share %d still waits", i)
		}
		shares[i].give()
	}
	if order != "123456" {
		t.Error(order)
	}
	b.unused(t)
}
