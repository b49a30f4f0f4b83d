package enginetest

import (
	"errors"
	"fmt"
	"sync"
)

// ErrStreamLimit says that the server allows no further stream in the session.
var ErrStreamLimit = errors.New("the session's limit of streams is reached")

// A sessionCredit is the flow control of a session. A nil one limits nothing.
type sessionCredit struct {
	send     func(typ uint64, parts ...any)
	withhold bool
	ignore   bool

	mu      sync.Mutex
	changed chan struct{} // closed and made anew when the server gives credit
	// What the server allows, and what was used of it.
	data      allowance
	bidi, uni allowance
	// What the server was allowed, and has used.
	inData        window
	inBidi, inUni window
}

// An allowance is what the other side lets pass.
type allowance struct {
	limit, used uint64
	blockedAt   uint64 // limit + 1 at which it was told of the block; 0: never
}

// A window is what this side lets pass.
type window struct {
	limit, used uint64
	size        uint64 // how far the limit runs ahead
	done        uint64 // given back
}

func newSessionCredit(o *Options, settings map[uint64]uint64, send func(typ uint64, parts ...any)) *sessionCredit {
	data, uni, bidi := settings[SettingSessionMaxData], settings[SettingSessionMaxStreamsUni], settings[SettingSessionMaxStreamsBidi]
	if data == 0 && uni == 0 && bidi == 0 {
		return nil // the server has none
	}
	return &sessionCredit{send: send, withhold: o.WithholdSessionCredit, ignore: o.IgnoreSessionLimits, changed: make(chan struct{}),
		data: allowance{limit: data}, uni: allowance{limit: uni}, bidi: allowance{limit: bidi},
		inData: window{limit: o.MaxData, size: o.MaxData},
		inUni:  window{limit: o.MaxStreamsUni, size: o.MaxStreamsUni},
		inBidi: window{limit: o.MaxStreamsBidi, size: o.MaxStreamsBidi}}
}

// take is told of each capsule that comes.
func (c *sessionCredit) take(capsule Capsule) error {
	if c == nil {
		return nil
	}
	var a *allowance
	switch capsule.Type {
	case CapsuleMaxData:
		a = &c.data
	case CapsuleMaxStreamsUni:
		a = &c.uni
	case CapsuleMaxStreamsBidi:
		a = &c.bidi
	default:
		return nil
	}
	limit, err := capsule.Number()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit <= a.limit {
		return fmt.Errorf("capsule %#x does not raise the limit: from %d to %d", capsule.Type, a.limit, limit)
	}
	a.limit = limit
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// open uses credit for a stream. It gives what to wait for if there is none.
func (c *sessionCredit) open(uni bool) (wait <-chan struct{}) {
	if c == nil || c.ignore {
		return nil
	}
	c.mu.Lock()
	a, blocked := &c.bidi, uint64(CapsuleStreamsBlockedBidi)
	if uni {
		a, blocked = &c.uni, CapsuleStreamsBlockedUni
	}
	if a.used < a.limit {
		a.used++
		c.mu.Unlock()
		return nil
	}
	tell, limit := a.blocked()
	wait = c.changed
	c.mu.Unlock()
	if tell {
		c.send(blocked, limit)
	}
	return wait
}

// unopen gives back what open used for a stream that was not opened.
func (c *sessionCredit) unopen(uni bool) {
	if c == nil || c.ignore {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if uni {
		c.uni.used--
	} else {
		c.bidi.used--
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// blocked reports whether the other side is to be told of a block at this limit, once.
func (a *allowance) blocked() (tell bool, limit uint64) {
	tell = a.blockedAt != a.limit+1
	a.blockedAt = a.limit + 1
	return tell, a.limit
}

// spend uses credit for up to n bytes. It is called under locks of quic-go's.
func (c *sessionCredit) spend(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = int(min(uint64(n), c.data.limit-c.data.used))
	c.data.used += uint64(n)
	return n
}

// update is closed with the next credit.
func (c *sessionCredit) update() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// tellBlocked tells the server that there is no credit for data.
func (c *sessionCredit) tellBlocked() {
	c.mu.Lock()
	tell, limit := false, uint64(0)
	if c.data.used >= c.data.limit {
		tell, limit = c.data.blocked()
	}
	c.mu.Unlock()
	if tell {
		c.send(CapsuleDataBlocked, limit)
	}
}

// came counts n bytes, or streams, that the server has sent, and says whether it may.
func (c *sessionCredit) came(w *window, n uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.used += n
	if w.used > w.limit {
		return fmt.Errorf("the server has used %d of a limit of %d", w.used, w.limit)
	}
	return nil
}

// gave counts n that are done with, and raises the limit.
func (c *sessionCredit) gave(w *window, n uint64, typ uint64) {
	c.mu.Lock()
	w.done += n
	limit := w.done + w.size
	// Data a quarter at a time, streams each.
	give := !c.withhold && limit > w.limit && (typ != CapsuleMaxData || limit-w.limit >= w.size/4)
	if give {
		w.limit = limit
		c.send(typ, limit) // with the lock held: a limit that another goroutine raises meanwhile must not overtake it
	}
	c.mu.Unlock()
}

// tookStream counts a stream of the server's.
func (c *sessionCredit) tookStream(uni bool) error {
	if c == nil {
		return nil
	}
	if uni {
		return c.came(&c.inUni, 1)
	}
	return c.came(&c.inBidi, 1)
}

// endedStream makes room for another one.
func (c *sessionCredit) endedStream(uni bool) {
	switch {
	case c == nil:
	case uni:
		c.gave(&c.inUni, 1, CapsuleMaxStreamsUni)
	default:
		c.gave(&c.inBidi, 1, CapsuleMaxStreamsBidi)
	}
}

// tookData counts bytes of the server's, and gives them back.
func (c *sessionCredit) tookData(n uint64) error {
	if c == nil || n == 0 {
		return nil
	}
	err := c.came(&c.inData, n)
	c.gave(&c.inData, n, CapsuleMaxData)
	return err
}
