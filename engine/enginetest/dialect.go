package enginetest

// Settings (RFC 9114, 7.2.4.1; RFC 9204, 5; RFC 9220, 3; RFC 9297, 2.1.1; drafts of WebTransport).
const (
	SettingQPACKCapacity         = 0x1
	SettingMaxFieldSection       = 0x6
	SettingQPACKBlocked          = 0x7
	SettingConnectProtocol       = 0x8
	SettingDatagram              = 0x33
	SettingEnableWebTransport    = 0x2b603742 // drafts 02 to 06
	SettingMaxSessions07         = 0xc671706a
	SettingMaxSessions14         = 0x14e9cd29 // drafts 13 and 14
	SettingWebTransportEnabled   = 0x2c7cf000 // from draft 15
	SettingSessionMaxData        = 0x2b61
	SettingSessionMaxStreamsUni  = 0x2b64
	SettingSessionMaxStreamsBidi = 0x2b65
)

// A Setting is one of SETTINGS.
type Setting struct{ ID, Value uint64 }

// A Dialect is how the drafts of a time speak of WebTransport.
type Dialect struct {
	Name        string
	Announce    []Setting // what a client of it sends
	Needs       uint64    // the setting without which a server takes no sessions of it
	Token       string    // the value of :protocol
	Fields      []string  // fields that each CONNECT request carries: name, value
	FlowControl bool      // of sessions
	ResetAt     bool      // RESET_STREAM_AT is offered
}

// The dialects that are spoken.
var (
	// Draft02 is what Chromium and Firefox speak.
	Draft02 = &Dialect{Name: "draft 02", Announce: []Setting{{SettingEnableWebTransport, 1}}, Needs: SettingEnableWebTransport,
		Token: "webtransport", Fields: []string{"sec-webtransport-http3-draft02", "1"}}
	// Draft07 is what early native clients speak.
	Draft07 = &Dialect{Name: "draft 07", Announce: []Setting{{SettingMaxSessions07, 1}}, Needs: SettingMaxSessions07, Token: "webtransport"}
	// Draft14 is what Safari speaks.
	Draft14 = &Dialect{Name: "draft 14", Announce: []Setting{{SettingMaxSessions14, 1}}, Needs: SettingMaxSessions14,
		Token: "webtransport", FlowControl: true, ResetAt: true}
	// Draft15 is what webtransport-go and the newest drafts speak.
	Draft15 = &Dialect{Name: "draft 15", Announce: []Setting{{SettingWebTransportEnabled, 1}}, Needs: SettingWebTransportEnabled,
		Token: "webtransport-h3", FlowControl: true, ResetAt: true}
)

// Dialects are all of them.
var Dialects = []*Dialect{Draft02, Draft07, Draft14, Draft15}
