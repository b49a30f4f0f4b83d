package session

import (
	"sync"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/wire"
)

// A flowControl is a session's own flow control, of bytes on all its streams together and of how many streams there are (draft-ietf-webtrans-http3,
// 5). There is none in older drafts, and then everything is allowed here: QUIC's limits hold.
type flowControl struct {
	mu sync.Mutex
	on bool

	// What we may do.
	dataLimit, sent uint64
	raised          chan struct{} // closed when there is more to send with; nil: nobody waits for that
	streamLimit     [2]uint64     // by kind, since the begin of the session
	opened          [2]uint64

	// What the peer may do.
	window      uint64 // bytes that may be unread
	allowed     uint64
	received    uint64
	done        uint64 // of received: read by the consumer, or given up
	streams     [2]uint64
	theirLimit  [2]uint64
	theirs      [2]uint64
	theirsEnded [2]uint64
	given       [3]uint64 // limits that it was given, beyond the first ones: of streams, by kind, and of bytes
	heard       [3]uint64 // times that it said that one holds it up
}

// ofBytes stands beside the kinds of streams where a limit may be that of bytes.
const ofBytes = 2

// begin sets the limits that hold at first.
func (f *flowControl) begin(on bool, own, peer wire.Limits) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
	f.dataLimit, f.streamLimit = peer.Data, [2]uint64{peer.StreamsBidi, peer.StreamsUni}
	f.window, f.allowed = own.Data, own.Data
	f.streams = [2]uint64{own.StreamsBidi, own.StreamsUni}
	f.theirLimit = f.streams
}

func (f *flowControl) enabled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on
}

// take is how many of n bytes may be sent now; they count as sent. QUIC calls it while it makes a packet.
func (f *flowControl) take(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on {
		return n
	}
	n = int(min(uint64(n), f.dataLimit-f.sent))
	f.sent += uint64(n)
	return n
}

// takeAll is take for all of n bytes or none.
func (f *flowControl) takeAll(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on && uint64(n) > f.dataLimit-f.sent {
		return false
	}
	if f.on {
		f.sent += uint64(n)
	}
	return true
}

// giveBack takes back what takeAll took and was not sent.
func (f *flowControl) giveBack(n int) {
	f.mu.Lock()
	if f.on {
		f.sent -= uint64(n)
		f.wake() // who found nothing left meanwhile
	}
	f.mu.Unlock()
}

// wake has those look again who wait for credit. f.mu is held.
func (f *flowControl) wake() {
	if f.raised != nil {
		close(f.raised)
		f.raised = nil
	}
}

// credit is a channel that is closed once there is more to send with than now; nil if there is some now. limit is what is used up.
func (f *flowControl) credit() (raised <-chan struct{}, limit uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on || f.sent < f.dataLimit {
		return nil, 0
	}
	if f.raised == nil {
		f.raised = make(chan struct{})
	}
	return f.raised, f.dataLimit
}

var errLimitLowered = &wire.CapsuleError{Code: wire.ErrCodeFlowControl, Reason: "a limit of flow control did not go up"}

// smallRaise is what a limit of bytes must be raised by to be worth a capsule.
const smallRaise = 1 << 10

// raiseData takes a MAX_DATA capsule. little says that it was hardly worth one.
func (f *flowControl) raiseData(limit uint64) (little bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if limit <= f.dataLimit {
		return false, errLimitLowered
	}
	little = limit-f.dataLimit < smallRaise
	f.dataLimit = limit
	f.wake()
	return little, nil
}

// raiseStreams takes a MAX_STREAMS capsule.
func (f *flowControl) raiseStreams(kind uint32, limit uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if limit <= f.streamLimit[kind] {
		return errLimitLowered
	}
	f.streamLimit[kind] = limit
	return nil
}

// open counts a stream of ours, or reports the limit that forbids it.
func (f *flowControl) open(kind uint32) (limit uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on && f.opened[kind] >= f.streamLimit[kind] {
		return f.streamLimit[kind], false
	}
	f.opened[kind]++
	return 0, true
}

// unopen takes back one that QUIC did not open after all.
func (f *flowControl) unopen(kind uint32) {
	f.mu.Lock()
	f.opened[kind]--
	f.mu.Unlock()
}

// theirStream counts a stream of the peer's, and reports whether it may be there.
func (f *flowControl) theirStream(kind uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.theirs[kind]++
	return !f.on || f.theirs[kind] <= f.theirLimit[kind]
}

// theirStreamEnded counts one that has ended, and gives the limit that the peer is to be told; 0: none now.
func (f *flowControl) theirStreamEnded(kind uint32) (limit uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.theirsEnded[kind]++
	return f.nextStreams(kind)
}

// theirsRefused counts streams, and their bytes, that were refused before anybody told of the session.
func (f *flowControl) theirsRefused(streams [2]uint64, bytes uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for kind, n := range streams {
		f.theirs[kind] += n
		f.theirsEnded[kind] += n
	}
	f.received += bytes
	f.done += bytes
}

// streamsDue is the limit that the peer is to be told for streams that ended before the session was open; 0: none.
func (f *flowControl) streamsDue(kind uint32) (limit uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nextStreams(kind)
}

// nextStreams raises the limit of the peer's streams, if it is worth a capsule. f.mu is held.
func (f *flowControl) nextStreams(kind uint32) (limit uint64) {
	next := min(f.theirsEnded[kind]+f.streams[kind], wire.MaxStreams)
	// Half of them at a time, so that a peer that has many short ones gets few capsules.
	if !f.on || next-f.theirLimit[kind] < max(1, f.streams[kind]/2) {
		return 0
	}
	f.theirLimit[kind] = next
	f.given[kind]++
	return next
}

// blocked counts that the peer says that a limit of ours holds it up, and reports whether it may say so: once for each limit.
func (f *flowControl) blocked(what uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard[what]++
	return f.heard[what] <= f.given[what]+1
}

// receive counts bytes of the peer's, and reports whether they may be there.
func (f *flowControl) receive(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.received += uint64(n)
	return !f.on || f.received <= f.allowed
}

// consumed counts bytes that nobody waits for any more, and gives the limit that the peer is to be told; 0: none now.
func (f *flowControl) consumed(n uint64) (limit uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done += n
	next := min(f.done+f.window, quicvarint.Max)
	if !f.on || next-f.allowed < max(1, f.window/4) {
		return 0
	}
	f.allowed = next
	f.given[ofBytes]++
	return next
}

// errOverrun is what a peer gets that goes beyond what it was allowed.
func errOverrun(what string) *wire.CapsuleError {
	return &wire.CapsuleError{Code: http3.ErrCode(wire.ErrCodeFlowControl), Reason: "the peer went beyond its limit of " + what}
}
