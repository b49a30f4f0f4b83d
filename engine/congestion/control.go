package congestion

import (
	"sync/atomic"
	"time"
)

// An Algorithm is what a connection may be told to use.
type Algorithm uint32

// The algorithms. Auto chooses by the path: see Sender.
const (
	Auto Algorithm = iota
	BBR
	NewReno
)

// algorithmNames are the names that options have for them.
var algorithmNames = [...]string{Auto: "auto", BBR: "bbr", NewReno: "reno"}

// String is the algorithm's name in options.
func (a Algorithm) String() string { return algorithmNames[a] }

// AlgorithmNamed is the algorithm that options call so.
func AlgorithmNamed(name string) (a Algorithm, ok bool) {
	for i, n := range algorithmNames {
		if n == name {
			return Algorithm(i), true
		}
	}
	return Auto, false
}

// A State is what a connection's algorithm is doing.
type State uint32

// The states: NewReno's (RFC 9002, 7.3), then BBR's.
const (
	StateNone State = iota // no connection has begun
	StateSlowStart
	StateRecovery
	StateAvoidance
	StateStartup
	StateDrain
	StateProbeDown
	StateProbeCruise
	StateProbeRefill
	StateProbeUp
	StateProbeRTT
)

var stateNames = [...]string{"none", "slow start", "recovery", "congestion avoidance", "Startup", "Drain", "ProbeBW_DOWN", "ProbeBW_CRUISE",
	"ProbeBW_REFILL", "ProbeBW_UP", "ProbeRTT"}

// String is the state's name as its specification has it.
func (s State) String() string { return stateNames[s] }

// Starting reports whether a path's rate is looked for the first time.
func (s State) Starting() bool { return s == StateSlowStart || s == StateStartup }

// DefaultInitialWindow is the window before anything is known, in packets, unless the connection is told another.
const DefaultInitialWindow = 32

// A Control is what stands between one connection's Sender and everybody else: wishes go in, and what the Sender does can be seen. All
// of it may be used from any goroutine; its zero value wishes for Auto and DefaultInitialWindow.
type Control struct {
	algorithm     atomic.Uint32
	initialWindow atomic.Uint32 // packets, 0: the default
	wishes        atomic.Uint32 // counts changes of both

	running  atomic.Uint32
	state    atomic.Uint32
	rate     atomic.Uint64
	estimate atomic.Uint64
	window   atomic.Uint64
	minRTT   atomic.Int64
	free     atomic.Bool
	spurious atomic.Uint64
	acked    atomic.Uint64
}

// Choose sets the algorithm, from the next packet on. A connection that is under way goes on with the window that it has.
func (c *Control) Choose(a Algorithm) {
	c.algorithm.Store(uint32(a))
	c.wishes.Add(1)
}

// SetInitialWindow sets the window before anything is known, in packets, of which it takes at least two; 0 is the default. It has
// an effect until as much as the window before was acknowledged: a handshake is not.
func (c *Control) SetInitialWindow(packets int) {
	c.initialWindow.Store(uint32(max(packets, 0)))
	c.wishes.Add(1)
}

func (c *Control) packets() int64 {
	if n := c.initialWindow.Load(); n > 0 {
		return min(max(int64(n), renoLeast), mostWindow)
	}
	return DefaultInitialWindow
}

// A Report is what a Sender was doing when its last round trip began, and what it has counted until now.
type Report struct {
	Algorithm  Algorithm // BBR or NewReno
	State      State
	PacingRate uint64        // bytes a second that it lets go out
	Bandwidth  uint64        // bytes a second that it takes the path to carry; 0: not known
	Window     uint64        // bytes that may be under way
	MinRTT     time.Duration // 0: not measured
	AtCapacity bool          // the path and not the application limits it
	Spurious   uint64        // packets that were taken for lost and had come
	Acked      uint64        // bytes of the packets that the peer has acknowledged, but for those that were taken for lost before
}

// Report tells what the connection's Sender is doing. Its parts are read one by one.
func (c *Control) Report() Report {
	return Report{
		Algorithm:  Algorithm(c.running.Load()),
		State:      State(c.state.Load()),
		PacingRate: c.rate.Load(),
		Bandwidth:  c.estimate.Load(),
		Window:     c.window.Load(),
		MinRTT:     time.Duration(c.minRTT.Load()),
		AtCapacity: !c.free.Load() && c.estimate.Load() > 0,
		Spurious:   c.spurious.Load(),
		Acked:      c.acked.Load(),
	}
}

// installed tells whether this program's QUIC implementation asks Senders: see capi/quicgo.
var installed atomic.Bool

// Install is called by what brings Senders into the QUIC implementation, when the program starts.
func Install() { installed.Store(true) }

// Installed reports whether it was. Without it connections have what the QUIC implementation has, and Controls have no effect.
func Installed() bool { return installed.Load() }

// Of gives the Control of a connection of the QUIC implementation, if it has one.
func Of(connection any) (c *Control, ok bool) {
	if has, ok := connection.(interface{ CongestionControl() *Control }); ok {
		return has.CongestionControl(), true
	}
	return nil, false
}
