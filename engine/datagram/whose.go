package datagram

import (
	"time"

	"zigh3/engine/sink"
)

// settingsWait is how long a peer that sends datagrams may keep its SETTINGS back before it counts as one that announces nothing.
const settingsWait = 250 * time.Millisecond

// whose says what a connection's datagrams are. Raw ones and HTTP's share one kind of frame: what a peer that announces
// SETTINGS_H3_DATAGRAM sends is never taken for raw, unless HTTP's are not spoken here at all.
type whose uint8

const (
	undecided whose = iota // the peer's SETTINGS have not come
	raws
	https
	nobodys
)

// Settled says whether the peer announced SETTINGS_H3_DATAGRAM.
func (fs *Flows) Settled(announced bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.decide(announced)
}

// decide says what the datagrams are from now on. fs.mu is held.
func (fs *Flows) decide(announced bool) {
	if fs.options.RawOnly || fs.lost {
		return
	}
	if fs.patient != nil {
		fs.patient.Stop()
	}
	now := nobodys
	switch {
	case announced && fs.options.HTTP:
		now = https
	case !announced && fs.options.Raw:
		now = raws
	}
	if now == fs.whose {
		return
	}
	fs.whose = now
	fs.decided.Broadcast()
	s := &fs.out
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whose = now
	s.measure()
	if fs.raw != nil {
		fs.raw.relimit()
	}
	for _, f := range fs.open {
		f.relimit()
	}
}

// awaitSettings sees to it that it is decided soon. fs.mu is held.
func (fs *Flows) awaitSettings() {
	if fs.whose != undecided || fs.patient != nil {
		return
	}
	fs.patient = time.AfterFunc(settingsWait, func() { sink.Guard("datagrams without settings", fs.settingsLate) })
}

// settingsLate decides without SETTINGS.
func (fs *Flows) settingsLate() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.whose == undecided {
		fs.decide(false)
	}
}
