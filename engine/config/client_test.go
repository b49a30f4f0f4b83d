package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"zigh3/engine/congestion"
	"zigh3/engine/sink"
)

// text shows options with what they point to.
func (o *ClientOptions) text() string {
	w := o.WebTransport
	c := o.Certificate
	short := *o
	short.WebTransport, short.Certificate = nil, nil
	return fmt.Sprintf("%+v %+v %+v", short, w, c)
}

func TestClientOptionsHaveDefaults(t *testing.T) {
	for _, text := range []string{"", "{}", " { } "} {
		o, err := ParseClientOptions([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		want := ClientOptions{
			ALPN:        []string{"h3"},
			SystemRoots: true, ConnectTimeout: 10 * time.Second, WriteTimeout: 5 * time.Minute, HeaderTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second,
			KeepAlive: 10 * time.Second, MaxConnections: 1024, MaxConnectionsPerOrigin: 6, MaxQueued: 1 << 14, QueueTimeout: 30 * time.Second,
			IdleConnection: 20 * time.Second, MaxHeaderBytes: 64 << 10, ReceiveWindow: 512 << 10, StreamReceiveWindow: 6 << 20, ConnectionReceiveWindow: 15 << 20,
			HighWaterMark: 1 << 20, MaxQueuedRequestBytes: 256 << 20, ResetBudget: 1024, ResetPeriod: 10 * time.Second, InitialPacketSize: 1200, InitialWindow: 32,
			QlogMaxBytes: 64 << 20, QlogMaxConnections: 1000,
			Datagrams: DatagramOptions{256, 256, false},
			WebTransport: &WebTransportOptions{MaxStreamsBidi: 100, MaxStreamsUni: 100, MaxData: 16 << 20, MaxEarlyStreams: 16, CapsuleTimeout: 10 * time.Second,
				CapsuleBudget: 1024, DecisionTimeout: 10 * time.Second},
		}
		if o.text() != want.text() {
			t.Errorf("%q: %s\nwant %s", text, o.text(), want.text())
		}
	}
}

const someHash = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestEveryClientOptionIsTaken(t *testing.T) {
	hash := strings.ToUpper(someHash[:2]) + ":" + someHash[2:]
	o, err := ParseClientOptions([]byte(`{
		"roots": "R", "system_roots": true, "server_name": "n", "certificate_hashes": ["` + hash + `"], "cert": "C", "key_path": "kp", "alpn": ["h3-29", "h3"], "origin": "https://o.example",
		"hosts": {"A": "192.0.2.1", "b:443": ["[2001:db8::1]:8443", "::1"]},
		"connect_timeout_ms": 11, "response_timeout_ms": 12, "request_timeout_ms": 13, "body_timeout_ms": 14, "write_timeout_ms": 15, "header_timeout_ms": 16,
		"idle_timeout_ms": 117, "keep_alive_ms": 18, "max_connections": 19, "max_connections_per_origin": 4, "max_queued": 21, "queue_timeout_ms": 22,
		"idle_connection_ms": 23, "max_header_bytes": 2e3, "receive_window": 9000, "stream_receive_window": 100000, "connection_receive_window": 110000,
		"high_water_mark": 1025, "max_queued_request_bytes": 1048577, "reset_budget": 28, "initial_packet_size": 1300, "max_packet_size": 1400, "initial_window": 32,
		"qlog_path": "q", "qlog_max_bytes": 4097, "qlog_max_connections": 39, "key_log_path": "k", "early_data": true,
		"congestion_control": "reno", "quic_datagrams": true, "datagrams": {"incoming": 31, "outgoing": 32, "count_lost": true},
		"webtransport": {"max_streams_bidi": 33, "max_streams_uni": 34, "max_data": 65536, "max_early_streams": 35, "capsule_timeout_ms": 36, "capsule_budget": 37,
		"decision_timeout_ms": 38}}`))
	if err != nil {
		t.Fatal(err)
	}
	ms := time.Millisecond
	want := ClientOptions{
		SystemRoots: true, Roots: "R", ServerName: "n", Certificate: &CertificateSource{Cert: "C", KeyPath: "kp"},
		ALPN: []string{"h3-29", "h3"}, Origin: "https://o.example",
		Hosts:          map[string][]netip.AddrPort{"a": {netip.MustParseAddrPort("192.0.2.1:0")}, "b:443": {netip.MustParseAddrPort("[2001:db8::1]:8443"), netip.MustParseAddrPort("[::1]:0")}},
		ConnectTimeout: 11 * ms, ResponseTimeout: 12 * ms, RequestTimeout: 13 * ms, BodyTimeout: 14 * ms, WriteTimeout: 15 * ms, HeaderTimeout: 16 * ms,
		IdleTimeout: 117 * ms, KeepAlive: 18 * ms, MaxConnections: 19, MaxConnectionsPerOrigin: 4, MaxQueued: 21, QueueTimeout: 22 * ms, IdleConnection: 23 * ms,
		MaxHeaderBytes: 2000, ReceiveWindow: 9000, StreamReceiveWindow: 100000, ConnectionReceiveWindow: 110000, HighWaterMark: 1025, MaxQueuedRequestBytes: 1<<20 + 1,
		ResetBudget: 28, ResetPeriod: 10 * time.Second, InitialPacketSize: 1300, MaxPacketSize: 1400, InitialWindow: 32, CongestionControl: congestion.NewReno,
		QlogPath: "q", QlogMaxBytes: 4097, QlogMaxConnections: 39, KeyLogPath: "k", EarlyData: true,
		QUICDatagrams: true, Datagrams: DatagramOptions{31, 32, true},
		WebTransport: &WebTransportOptions{MaxStreamsBidi: 33, MaxStreamsUni: 34, MaxData: 65536, MaxEarlyStreams: 35, CapsuleTimeout: 36 * ms, CapsuleBudget: 37, DecisionTimeout: 38 * ms},
	}
	want.CertificateHashes = make([][32]byte, 1)
	for i := range 32 {
		want.CertificateHashes[0][i] = byte(i)
	}
	if o.text() != want.text() {
		t.Errorf("%s\nwant %s", o.text(), want.text())
	}
	o, err = ParseClientOptions([]byte(`{"roots_path": "rp", "insecure": true, "webtransport": false}`))
	if err != nil || o.SystemRoots || o.RootsPath != "rp" || !o.Insecure || o.WebTransport != nil {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestClientOptionsThatAreWrong(t *testing.T) {
	for _, c := range []struct{ text, words string }{
		{`{"rots": "x"}`, `unknown option "rots" (known here: alpn, body_timeout_ms`},
		{`{"max_queued": 0}`, "max_queued must be a whole number of fetches from 1 to 1048576, not 0"},
		{`{"max_queued": "1"}`, `max_queued must be a number, not "1"`},
		{`{"insecure": 1}`, "insecure must be true or false, not 1"},
		{`{"roots": ""}`, "roots must not be empty"},
		{`{"roots": "a", "roots_path": "b"}`, "given twice: as roots and as roots_path"},
		{`{"system_roots": false}`, "with system_roots false no server is believed"},
		{`{"insecure": true, "certificate_hashes": ["` + someHash + `"]}`, "insecure and certificate_hashes contradict"},
		{`{"certificate_hashes": []}`, "certificate_hashes must list 1 to 1024 hashes, not 0"},
		{`{"certificate_hashes": ["00"]}`, `certificate_hashes[0]: "00" is no SHA-256`},
		{`{"certificate_hashes": "00"}`, "certificate_hashes must be an array of strings"},
		{`{"alpn": []}`, "alpn must list 1 to 16 protocols, not 0"},
		{`{"alpn": "h3"}`, "alpn must be an array of strings"},
		{`{"alpn": ["h3", ""]}`, "alpn[1]: the name of a protocol has 1 to 255 bytes, not 0"},
		{`{"origin": ""}`, "origin must not be empty"},
		{`{"origin": "https://a b"}`, `origin must be one as a page has it, https://example.com, not "https://a b"`},
		{`{"cert": "a"}`, "a client's certificate and its key belong together"},
		{`{"key": "a"}`, "a client's certificate and its key belong together"},
		{`{"cert": "a", "cert_path": "b", "key": "k"}`, "given twice: as cert and as cert_path"},
		{`{"cert": "a", "key": "b", "key_path": "k"}`, "given twice: as key and as key_path"},
		{`{"hosts": {"a": "b"}}`, `hosts.a: "b" is no IP address`},
		{`{"hosts": {"a": []}}`, "hosts.a must be 1 to 64 addresses"},
		{`{"hosts": {"a": 1}}`, "hosts.a must be an address, or an array of them, not 1"},
		{`{"hosts": {"a:0": "::1"}}`, `hosts: "a:0" has no port that there is`},
		{`{"hosts": {"a/b": "::1"}}`, `hosts: "a/b" is neither a name`},
		{`{"hosts": {"a": "::1", "A": "::1"}}`, `hosts has "a" twice`},
		{`{"hosts": {"a": "::1", "a": "::1"}}`, `the key "a" comes twice`},
		{`{"receive_window": 7000000}`, "receive_window (7000000) must not exceed stream_receive_window (6291456)"},
		{`{"stream_receive_window": 16777216}`, "stream_receive_window (16777216) must not exceed"},
		{`{"max_packet_size": 1100}`, "max_packet_size must be 0 or a whole number of bytes from 1200 to 1452, not 1100"},
		{`{"max_packet_size": 1300, "initial_packet_size": 1400}`, "initial_packet_size (1400) must not exceed max_packet_size (1300)"},
		{`{"max_connections": 5}`, "max_connections_per_origin (6) must not exceed max_connections (5)"},
		{`{"congestion_control": "x"}`, "congestion_control must be auto, bbr or reno"},
		{`{"early_data": 1}`, "early_data must be true or false, not 1"},
		{`{"qlog_path": ""}`, "qlog_path must not be empty"},
		{`{"qlog_max_bytes": 1}`, "qlog_max_bytes must be a whole number of bytes from 4096 to 1073741824, not 1"},
		{`{"key_log_path": 1}`, "key_log_path must be a string, not 1"},
		{`{"datagrams": {"x": 1}}`, `unknown option "datagrams.x"`},
		{`{"webtransport": {"origins": 1}}`, `unknown option "webtransport.origins"`},
		{`[]`, "the options must be an object"},
		{`{`, "the options: not JSON"},
	} {
		_, err := ParseClientOptions([]byte(c.text))
		var e *sink.Error
		if !errors.As(err, &e) || e.Code != sink.ErrConfig || !strings.Contains(e.Text, c.words) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// docs/client-options.md lists what the tables list.
func TestClientOptionsAreDocumented(t *testing.T) {
	text := mustList(t, "client-options.md", slices.Concat(rows(clientOptionKeys[:]), rows(datagramOptionKeys[:]), rows(webTransportOptionKeys[:])))
	for _, key := range clientKeys {
		if !strings.Contains(text, "`"+key+"`") {
			t.Errorf("%s is not described", key)
		}
	}
}
