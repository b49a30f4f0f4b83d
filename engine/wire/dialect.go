package wire

import (
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Tokens of WebTransport in :protocol.
const (
	tokenH3  = "webtransport-h3" // since draft-ietf-webtrans-http3-15
	tokenOld = "webtransport"
)

// IsToken reports whether protocol, of an extended CONNECT, asks for a session. A server takes both tokens whatever its peer announces:
// Safari speaks a newer dialect and uses the older one, and a request can come before the SETTINGS.
func IsToken[T string | []byte](protocol T) bool {
	return string(protocol) == tokenH3 || string(protocol) == tokenOld
}

// A Field is a header field.
type Field struct{ Name, Value string }

// A Dialect is what drafts of WebTransport over HTTP/3 have in common that are alike on the wire. All of them have the same stream
// headers, datagrams and codes, and CLOSE and DRAIN capsules: a peer that does not know one of those skips it.
type Dialect struct {
	Name string // the drafts, for people
	// Setting says that an endpoint speaks the dialect, unless it is 0.
	Setting uint64
	// Token is what a client writes into :protocol.
	Token string
	// RequestField, if it has a name, is a header field by which a client says that it speaks the dialect; a server answers one that is
	// there with ResponseField.
	RequestField, ResponseField Field
	// ReliableReset: a client must not open sessions with a server that does not send the transport parameter reset_stream_at.
	ReliableReset bool

	withoutConnect bool // extended CONNECT goes without saying
	counts         bool // Setting is how many sessions a server takes on a connection
	countIsIntent  bool // more than one of them says the same as a limit: that there is flow control
	pools          bool // sessions share a connection even without flow control
	noHTTP2        bool // capsules for flow control of streams are forbidden, not unknown
}

// dialects has the newest first: that is the one that two endpoints which have several in common speak.
var dialects = [...]Dialect{
	{
		Name: "draft-ietf-webtrans-http3-15 and -16", Setting: SettingWTEnabled, Token: tokenH3,
		ReliableReset: true, noHTTP2: true,
	},
	{
		Name: "draft-ietf-webtrans-http3-13 and -14", Setting: SettingWTMaxSessions, Token: tokenOld,
		ReliableReset: true, counts: true, countIsIntent: true, noHTTP2: true,
	},
	{
		// Before -10 there are no reliable resets, before -12 no flow control: what says so is that no limits are announced.
		Name: "draft-ietf-webtrans-http3-07 to -12", Setting: SettingWebTransportMaxSessions, Token: tokenOld,
		counts: true, pools: true, noHTTP2: true,
	},
	{
		Name: "draft-ietf-webtrans-http3-02 to -06", Setting: SettingEnableWebTransport, Token: tokenOld,
		RequestField:   Field{"sec-webtransport-http3-draft02", "1"},
		ResponseField:  Field{"sec-webtransport-http3-draft", "draft02"},
		withoutConnect: true, pools: true,
	},
}

// AnswerTo is the field that a server's response has for a field of the request's head, if one calls for that.
func AnswerTo(name string) (answer Field, ok bool) {
	for i := range dialects {
		if d := &dialects[i]; d.RequestField.Name == name && name != "" {
			return d.ResponseField, true
		}
	}
	return Field{}, false
}

// unannounced is how a server takes a client that says nothing but that it has datagrams, as -09 to -12 have it and the RFC will:
// the newest. What is different in older ones shows in other settings.
var unannounced = &dialects[0]

// An Offer is what one of our endpoints announces about sessions.
type Offer struct {
	// Sessions is how many there may be on a connection, for those dialects that count them; at least 1.
	Sessions uint64
	Limits
}

// Limits are those of flow control that hold for a session when it begins: bytes on all its streams, and streams of each kind.
type Limits struct{ Data, StreamsBidi, StreamsUni uint64 }

// any reports whether one of them is not 0: that says that its endpoint wants flow control.
func (l Limits) any() bool { return l.Data > 0 || l.StreamsBidi > 0 || l.StreamsUni > 0 }

// Limits are those that the endpoint announced for each session of its peer's.
func (s *Settings) Limits() Limits {
	return Limits{
		Data:        s.Value(SettingWTInitialMaxData),
		StreamsBidi: min(s.Value(SettingWTInitialMaxStreamsBidi), MaxStreams),
		StreamsUni:  min(s.Value(SettingWTInitialMaxStreamsUni), MaxStreams),
	}
}

// ServerSettings are the settings by which a server offers WebTransport in every dialect.
func (o Offer) ServerSettings() []Setting {
	return append([]Setting{{SettingEnableConnectProtocol, 1}}, o.ClientSettings()...)
}

// ClientSettings are the settings by which a client says that it speaks WebTransport in every dialect.
func (o Offer) ClientSettings() []Setting {
	list := []Setting{{SettingH3Datagram, 1}}
	for i := range dialects {
		d := &dialects[i]
		value := uint64(1)
		if d.countIsIntent {
			value = max(o.Sessions, 1) // where no intent goes with it, more than one could share a connection without flow control
		}
		list = append(list, Setting{d.Setting, value})
	}
	for _, limit := range []Setting{
		{SettingWTInitialMaxData, o.Data},
		{SettingWTInitialMaxStreamsBidi, min(o.StreamsBidi, MaxStreams)},
		{SettingWTInitialMaxStreamsUni, min(o.StreamsUni, MaxStreams)},
	} {
		if limit.Value > 0 {
			list = append(list, limit)
		}
	}
	return list
}

// A MissingSettingError says which setting a peer did not send, or with 0, that WebTransport needs.
type MissingSettingError struct{ Setting uint64 }

// Error implements error.
func (e *MissingSettingError) Error() string {
	text := "the peer does not offer WebTransport: its SETTINGS have no " + SettingName(e.Setting)
	if e.Setting == dialects[0].Setting {
		text += ", nor what earlier drafts have in its place"
	}
	return text
}

var errWTEnabled = &ConnectionError{http3.ErrCodeSettingsError, SettingName(SettingWTEnabled) + " is neither 0 nor 1"}

// Newest is the newest dialect.
func Newest() *Dialect { return &dialects[0] }

// DialectOf is the dialect to speak with a peer. Its failures are a *MissingSettingError, and for a client a *ConnectionError where the
// server's SETTINGS are wrong.
func DialectOf(peer Settings, weAreServer bool) (*Dialect, error) {
	if !weAreServer && peer.Value(SettingWTEnabled) > 1 {
		return nil, errWTEnabled // a client's value has no effect
	}
	var d *Dialect
	for i := range dialects {
		if peer.Value(dialects[i].Setting) > 0 {
			d = &dialects[i]
			break
		}
	}
	switch {
	case !peer.Datagram():
		return nil, &MissingSettingError{SettingH3Datagram}
	case weAreServer && d == nil:
		return unannounced, nil
	case weAreServer:
		return d, nil
	case d == nil:
		return nil, &MissingSettingError{dialects[0].Setting}
	case !d.withoutConnect && !peer.ConnectProtocol():
		return nil, &MissingSettingError{SettingEnableConnectProtocol}
	}
	return d, nil
}

// FlowControl reports whether sessions have flow control: both endpoints have said that they want it. An endpoint that announces
// limits knows of flow control, whatever dialect it announces beside them.
func (d *Dialect) FlowControl(own, peer *Settings) bool {
	return d.wantsFlowControl(own) && d.wantsFlowControl(peer)
}

func (d *Dialect) wantsFlowControl(s *Settings) bool {
	return s.Limits().any() || d.countIsIntent && s.Value(d.Setting) > 1
}

// MaxSessions is how many sessions there may be at a time on a connection, by the settings of its server and whether there is flow
// control; the largest number there is if nothing says how many.
func (d *Dialect) MaxSessions(server *Settings, flowControl bool) uint64 {
	switch {
	case !d.pools && !flowControl:
		return 1
	case d.counts:
		return server.Value(d.Setting)
	}
	return quicvarint.Max
}

// Capsules makes a reader for a session.
func (d *Dialect) Capsules(flowControl bool) CapsuleReader {
	return CapsuleReader{flowControl: flowControl, noHTTP2: d.noHTTP2 || flowControl}
}
