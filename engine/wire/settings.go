package wire

import (
	"slices"
	"strconv"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Settings that mean something here. The name of each is the one that its document gives it.
const (
	SettingMaxFieldSectionSize     uint64 = 0x6        // RFC 9114, 7.2.4.1
	SettingEnableConnectProtocol   uint64 = 0x8        // RFC 9220, 3
	SettingH3Datagram              uint64 = 0x33       // RFC 9297, 2.1.1
	SettingH3DatagramDraft04       uint64 = 0xffd277   // the one before, which some browsers still send beside it: noted, and of no effect
	SettingEnableWebTransport      uint64 = 0x2b603742 // draft-ietf-webtrans-http3-02 to -06
	SettingWebTransportMaxSessions uint64 = 0xc671706a // -07 to -12
	SettingWTMaxSessions           uint64 = 0x14e9cd29 // -13 and -14
	SettingWTEnabled               uint64 = 0x2c7cf000 // -15 and -16
	SettingWTInitialMaxData        uint64 = 0x2b61     // since -12, like the next two
	SettingWTInitialMaxStreamsUni  uint64 = 0x2b64
	SettingWTInitialMaxStreamsBidi uint64 = 0x2b65
)

// namedSettings are the settings of which Settings keeps the values.
var namedSettings = [...]struct {
	id   uint64
	name string
}{
	{SettingMaxFieldSectionSize, "SETTINGS_MAX_FIELD_SECTION_SIZE"},
	{SettingEnableConnectProtocol, "SETTINGS_ENABLE_CONNECT_PROTOCOL"},
	{SettingH3Datagram, "SETTINGS_H3_DATAGRAM"},
	{SettingH3DatagramDraft04, "SETTINGS_H3_DATAGRAM of draft-ietf-masque-h3-datagram-04"},
	{SettingEnableWebTransport, "SETTINGS_ENABLE_WEBTRANSPORT"},
	{SettingWebTransportMaxSessions, "SETTINGS_WEBTRANSPORT_MAX_SESSIONS"},
	{SettingWTMaxSessions, "SETTINGS_WT_MAX_SESSIONS"},
	{SettingWTEnabled, "SETTINGS_WT_ENABLED"},
	{SettingWTInitialMaxData, "SETTINGS_WT_INITIAL_MAX_DATA"},
	{SettingWTInitialMaxStreamsUni, "SETTINGS_WT_INITIAL_MAX_STREAMS_UNI"},
	{SettingWTInitialMaxStreamsBidi, "SETTINGS_WT_INITIAL_MAX_STREAMS_BIDI"},
}

// SettingName is a setting's name and id, for people.
func SettingName(id uint64) string {
	hex := "0x" + strconv.FormatUint(id, 16)
	if i := indexOfSetting(id); i >= 0 {
		return namedSettings[i].name + " (" + hex + ")"
	}
	return "setting " + hex
}

func indexOfSetting(id uint64) int {
	for i := range namedSettings {
		if namedSettings[i].id == id {
			return i
		}
	}
	return -1
}

// reservedSetting reports whether a setting is one of HTTP/2 that HTTP/3 forbids (RFC 9114, 7.2.4.1).
func reservedSetting(id uint64) bool { return id == 0x0 || id >= 0x2 && id <= 0x5 }

// A Setting is one of those in a SETTINGS frame.
type Setting struct{ ID, Value uint64 }

// Settings are those of one endpoint, as far as they mean something here: the constants of this package name them. The zero value is
// that of an endpoint that has sent an empty SETTINGS frame.
type Settings struct {
	values [len(namedSettings)]uint64
	seen   uint16 // bit i: the setting with that index was given
}

// NewSettings is what a peer knows of an endpoint that sends list.
func NewSettings(list []Setting) Settings {
	var s Settings
	for _, one := range list {
		if i := indexOfSetting(one.ID); i >= 0 {
			s.values[i] = one.Value
			s.seen |= 1 << i
		}
	}
	return s
}

// Seen reports whether a setting was given, with whatever value.
func (s *Settings) Seen(id uint64) bool {
	i := indexOfSetting(id)
	return i >= 0 && s.seen&(1<<i) != 0
}

// Value is the value of a setting, 0 if it was not given.
func (s *Settings) Value(id uint64) uint64 {
	i := indexOfSetting(id)
	if i < 0 {
		return 0
	}
	return s.values[i]
}

// MaxFieldSectionSize is the largest field section that the endpoint takes; the largest number there is if it did not say.
func (s *Settings) MaxFieldSectionSize() uint64 {
	if !s.Seen(SettingMaxFieldSectionSize) {
		return quicvarint.Max
	}
	return s.Value(SettingMaxFieldSectionSize)
}

// ConnectProtocol reports whether the endpoint takes extended CONNECT.
func (s *Settings) ConnectProtocol() bool { return s.Value(SettingEnableConnectProtocol) == 1 }

// Datagram reports whether the endpoint takes HTTP datagrams.
func (s *Settings) Datagram() bool { return s.Value(SettingH3Datagram) == 1 }

var errCutSettings = &ConnectionError{http3.ErrCodeFrameError, "SETTINGS ends inside a setting"}

// ParseSettings reads the payload of a SETTINGS frame, of which the caller has bounded the length. Its failures are *ConnectionError.
func ParseSettings(payload []byte) (Settings, error) {
	var (
		s       Settings
		unnamed settingIDs
	)
	for len(payload) > 0 {
		id, n, err := quicvarint.Parse(payload)
		if err != nil {
			return Settings{}, errCutSettings
		}
		value, m, err := quicvarint.Parse(payload[n:])
		if err != nil {
			return Settings{}, errCutSettings
		}
		payload = payload[n+m:]
		i := indexOfSetting(id)
		switch {
		case i >= 0 && s.seen&(1<<i) != 0, i < 0 && !unnamed.add(id):
			return Settings{}, &ConnectionError{http3.ErrCodeSettingsError, SettingName(id) + " given twice"}
		case reservedSetting(id):
			return Settings{}, &ConnectionError{http3.ErrCodeSettingsError, SettingName(id) + " is reserved"}
		case value > 1 && (id == SettingEnableConnectProtocol || id == SettingH3Datagram || id == SettingEnableWebTransport):
			return Settings{}, &ConnectionError{http3.ErrCodeSettingsError, SettingName(id) + " is neither 0 nor 1"}
		}
		if i >= 0 {
			s.values[i] = value
			s.seen |= 1 << i
		}
	}
	return s, nil
}

// settingIDs are ids that have been seen. Most peers send one or two that mean nothing here; a peer that sends thousands pays with time
// that grows no faster than what it sends.
type settingIDs struct {
	few  [8]uint64
	n    int
	many map[uint64]struct{}
}

// add reports whether id is new.
func (s *settingIDs) add(id uint64) bool {
	if slices.Contains(s.few[:s.n], id) {
		return false
	}
	if s.n < len(s.few) {
		s.few[s.n] = id
		s.n++
		return true
	}
	if _, had := s.many[id]; had {
		return false
	}
	if s.many == nil {
		s.many = make(map[uint64]struct{})
	}
	s.many[id] = struct{}{}
	return true
}

// AppendSettings appends the payload of a SETTINGS frame. A value beyond what the encoding holds becomes the largest that it does.
func AppendSettings(dst []byte, list []Setting) []byte {
	for _, s := range list {
		dst = quicvarint.Append(dst, s.ID)
		dst = quicvarint.Append(dst, min(s.Value, quicvarint.Max))
	}
	return dst
}
