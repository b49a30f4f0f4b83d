package wire

import (
	"errors"
	"fmt"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// What real peers announce.
var (
	chrome        = []Setting{{0x1, 1 << 16}, {0x6, 1 << 18}, {0x7, 100}, {0x33, 1}, {0xffd277, 1}, {0x2b603742, 1}}
	firefox       = []Setting{{0x1, 1 << 16}, {0x7, 20}, {0x2b603742, 1}, {0xffd277, 1}, {0x33, 1}, {0x8, 1}}
	safari        = []Setting{{0x33, 1}, {0x14e9cd29, 1}, {0x2b61, 1 << 20}, {0x2b64, 100}, {0x2b65, 100}}
	webtransportG = []Setting{{0x33, 1}, {0x2c7cf000, 1}}
)

const (
	newest = "draft-ietf-webtrans-http3-15 and -16"
	wt13   = "draft-ietf-webtrans-http3-13 and -14"
	wt07   = "draft-ietf-webtrans-http3-07 to -12"
	wt02   = "draft-ietf-webtrans-http3-02 to -06"
)

func TestDialectByWhatThePeerAnnounces(t *testing.T) {
	for _, c := range []struct {
		name   string
		peer   []Setting
		server bool // we are
		want   string
		err    string
	}{
		{"Chrome", chrome, true, wt02, ""},
		{"Firefox", firefox, true, wt02, ""},
		{"Safari", safari, true, wt13, ""},
		{"webtransport-go", webtransportG, true, newest, ""},
		{"a client of -07", []Setting{{0x33, 1}, {0xc671706a, 1}}, true, wt07, ""},
		{"a client of all drafts", Offer{Sessions: 1}.ClientSettings(), true, newest, ""},
		{"a client of two", []Setting{{0x33, 1}, {0x2b603742, 1}, {0xc671706a, 1}}, true, wt07, ""},
		{"a client with the newest at 0", []Setting{{0x33, 1}, {0x2c7cf000, 0}, {0x14e9cd29, 5}}, true, wt13, ""},
		{"a client that has datagrams and says no more", []Setting{{0x33, 1}}, true, newest, ""},
		{"a client whose value has no effect", []Setting{{0x33, 1}, {0x2c7cf000, 2}}, true, newest, ""},
		{"a client without datagrams", []Setting{{0x2c7cf000, 1}}, true, "",
			"the peer does not offer WebTransport: its SETTINGS have no SETTINGS_H3_DATAGRAM (0x33)"},
		{"a client with the draft's datagrams alone", []Setting{{0xffd277, 1}, {0x2b603742, 1}}, true, "",
			"the peer does not offer WebTransport: its SETTINGS have no SETTINGS_H3_DATAGRAM (0x33)"},

		{"a server of ours", Offer{Sessions: 1}.ServerSettings(), false, newest, ""},
		{"a server of -13", []Setting{{0x8, 1}, {0x33, 1}, {0x14e9cd29, 1}}, false, wt13, ""},
		{"a server of -07", []Setting{{0x8, 1}, {0x33, 1}, {0xc671706a, 1}}, false, wt07, ""},
		{"a server of -02, where extended CONNECT goes without saying", []Setting{{0x33, 1}, {0x2b603742, 1}}, false, wt02, ""},
		{"a server without extended CONNECT", []Setting{{0x33, 1}, {0x2c7cf000, 1}}, false, "",
			"the peer does not offer WebTransport: its SETTINGS have no SETTINGS_ENABLE_CONNECT_PROTOCOL (0x8)"},
		{"a server without datagrams", []Setting{{0x8, 1}, {0x2c7cf000, 1}}, false, "",
			"the peer does not offer WebTransport: its SETTINGS have no SETTINGS_H3_DATAGRAM (0x33)"},
		{"a server that has no dialect", []Setting{{0x8, 1}, {0x33, 1}}, false, "",
			"the peer does not offer WebTransport: its SETTINGS have no SETTINGS_WT_ENABLED (0x2c7cf000), nor what earlier drafts have in its place"},
		{"a server with a value that there is not", []Setting{{0x8, 1}, {0x33, 1}, {0x2c7cf000, 2}}, false, "",
			"SETTINGS_WT_ENABLED (0x2c7cf000) is neither 0 nor 1"},
	} {
		d, err := DialectOf(NewSettings(c.peer), c.server)
		switch {
		case c.err != "":
			if d != nil || err == nil || err.Error() != c.err {
				t.Errorf("%s: %v, %v", c.name, d, err)
			}
		case err != nil || d.Name != c.want:
			t.Errorf("%s: %v, %v", c.name, d, err)
		}
	}
	_, err := DialectOf(Settings{}, true)
	if missing := (*MissingSettingError)(nil); !errors.As(err, &missing) || missing.Setting != SettingH3Datagram {
		t.Error(err)
	}
	_, err = DialectOf(NewSettings([]Setting{{SettingWTEnabled, 2}}), false)
	if codeOf(t, err) != http3.ErrCodeSettingsError {
		t.Error(err)
	}
}

func TestWhatADialectSays(t *testing.T) {
	for i, want := range []string{
		`webtransport-h3, {"" ""} {"" ""}, reliable true`,
		`webtransport, {"" ""} {"" ""}, reliable true`,
		`webtransport, {"" ""} {"" ""}, reliable false`,
		`webtransport, {"sec-webtransport-http3-draft02" "1"} {"sec-webtransport-http3-draft" "draft02"}, reliable false`,
	} {
		d := &dialects[i]
		if got := fmt.Sprintf("%s, %q %q, reliable %v", d.Token, d.RequestField, d.ResponseField, d.ReliableReset); got != want {
			t.Errorf("%s: %s", d.Name, got)
		}
	}
	for token, is := range map[string]bool{"webtransport": true, "webtransport-h3": true, "websocket": false, "": false, "WebTransport": false} {
		if IsToken(token) != is {
			t.Error(token, !is)
		}
	}
}

func TestWhatIsAnnounced(t *testing.T) {
	o := Offer{Sessions: 16, Limits: Limits{Data: 1 << 20, StreamsBidi: 100, StreamsUni: 1 << 61}}
	want := "[{8 1} {51 1} {746385408 1} {350866729 16} {3329323114 1} {727725890 1} {11105 1048576} {11109 100} {11108 1152921504606846976}]"
	if got := fmt.Sprint(o.ServerSettings()); got != want {
		t.Errorf("a server: %s", got)
	}
	if got := fmt.Sprint(o.ClientSettings()); got != "["+want[len("[{8 1} "):] {
		t.Errorf("a client: %s", got)
	}
	if got := fmt.Sprint(Offer{}.ClientSettings()); got != "[{51 1} {746385408 1} {350866729 1} {3329323114 1} {727725890 1}]" {
		t.Errorf("nothing in particular: %s", got)
	}
	s := NewSettings([]Setting{{0x2b61, 5}, {0x2b64, 1<<60 + 1}, {0x2b65, 1<<62 - 1}})
	if got := s.Limits(); got != (Limits{Data: 5, StreamsBidi: 1 << 60, StreamsUni: 1 << 60}) {
		t.Errorf("%+v", got)
	}
}

func TestFlowControlAndSessions(t *testing.T) {
	limits := Limits{Data: 1 << 20, StreamsBidi: 100, StreamsUni: 100}
	for _, c := range []struct {
		name     string
		own      Offer
		client   []Setting
		flow     bool
		sessions uint64
	}{
		{"Chrome", Offer{16, limits}, chrome, false, quicvarint.Max},
		{"Safari", Offer{16, limits}, safari, true, 16},
		{"Safari, a server with one session and no limits", Offer{1, Limits{}}, safari, false, 1},
		{"Safari, a server without limits", Offer{16, Limits{}}, safari, true, 16},
		{"-14, a client with several sessions and no limits", Offer{16, limits}, []Setting{{0x33, 1}, {0x14e9cd29, 2}}, true, 16},
		{"-14, a client with one session and no limits", Offer{16, limits}, []Setting{{0x33, 1}, {0x14e9cd29, 1}}, false, 1},
		{"-15, several sessions say nothing", Offer{16, limits}, []Setting{{0x33, 1}, {0x2c7cf000, 1}, {0x14e9cd29, 2}}, false, 1},
		{"-15 with data", Offer{16, limits}, []Setting{{0x33, 1}, {0x2c7cf000, 1}, {0x2b61, 1}}, true, quicvarint.Max},
		{"-15 with streams", Offer{16, limits}, []Setting{{0x33, 1}, {0x2c7cf000, 1}, {0x2b65, 1}}, true, quicvarint.Max},
		{"-15 with unidirectional streams", Offer{16, limits}, []Setting{{0x33, 1}, {0x2c7cf000, 1}, {0x2b64, 1}}, true, quicvarint.Max},
		{"-15 with limits of 0", Offer{16, limits}, []Setting{{0x33, 1}, {0x2c7cf000, 1}, {0x2b61, 0}, {0x2b64, 0}, {0x2b65, 0}}, false, 1},
		{"-15, a server without limits", Offer{16, Limits{}}, []Setting{{0x33, 1}, {0x2c7cf000, 1}, {0x2b61, 1}}, false, 1},
		{"-07", Offer{16, limits}, []Setting{{0x33, 1}, {0xc671706a, 1}}, false, 1},
		{"-12 with limits", Offer{16, limits}, []Setting{{0x33, 1}, {0xc671706a, 1}, {0x2b61, 9}}, true, 1},
		{"limits and no dialect", Offer{16, limits}, []Setting{{0x33, 1}, {0x2b61, 9}}, true, quicvarint.Max},
		{"limits beside the oldest dialect", Offer{16, limits}, []Setting{{0x33, 1}, {0x2b603742, 1}, {0x2b61, 9}}, true, quicvarint.Max},
	} {
		server, client := NewSettings(c.own.ServerSettings()), NewSettings(c.client)
		d, err := DialectOf(client, true)
		if err != nil {
			t.Error(c.name, err)
			continue
		}
		flow := d.FlowControl(&server, &client)
		if flow != c.flow || flow != d.FlowControl(&client, &server) {
			t.Errorf("%s: flow control %v", c.name, flow)
		}
		if n := d.MaxSessions(&server, flow); n != c.sessions {
			t.Errorf("%s: %d sessions", c.name, n)
		}
	}
	// A client, and a server whose number of sessions says nothing about flow control.
	server := NewSettings([]Setting{{0x8, 1}, {0x33, 1}, {0xc671706a, 100}})
	client := NewSettings(Offer{1, limits}.ClientSettings())
	d, err := DialectOf(server, false)
	if err != nil {
		t.Fatal(err)
	}
	if flow := d.FlowControl(&client, &server); flow || d.MaxSessions(&server, flow) != 100 {
		t.Errorf("a server of -07: flow control %v, %d sessions", flow, d.MaxSessions(&server, flow))
	}
}
