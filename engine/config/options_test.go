package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"zigh3/engine/congestion"
	"zigh3/engine/sink"
)

func TestOptionsHaveDefaults(t *testing.T) {
	for _, text := range []string{"", "{}", " { } "} {
		o, err := ParseOptions("", 443, "", "", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		want := Options{
			Port: 443, MaxRequestBodySize: 128 << 20, MaxHeaderBytes: 64 << 10, MaxIncomingStreams: 256,
			IdleTimeout: 30 * time.Second, HandshakeTimeout: 10 * time.Second, HeaderTimeout: 10 * time.Second, BodyTimeout: 30 * time.Second, WriteTimeout: 5 * time.Minute,
			ReceiveWindow: 512 << 10, StreamReceiveWindow: 6 << 20, ConnectionReceiveWindow: 15 << 20,
			ResetBudget: 1024, ResetPeriod: 10 * time.Second, MaxUnverifiedHandshakes: 256, InitialPacketSize: 1200, InitialWindow: 32, HighWaterMark: 1 << 20, MaxQueuedResponseBytes: 256 << 20, Date: true,
			MaxConnections: 1 << 16, MaxConnectionsPerAddress: 1 << 14, KeepAlive: 10 * time.Second, MaxBufferedBodyBytes: 256 << 20,
			Datagrams:    DatagramOptions{256, 256, false},
			WebTransport: WebTransportOptions{MaxStreamsBidi: 100, MaxStreamsUni: 100, MaxData: 16 << 20, MaxEarlyStreams: 16, CapsuleTimeout: 10 * time.Second, CapsuleBudget: 1024, DecisionTimeout: 10 * time.Second},
		}
		if fmt.Sprint(*o) != fmt.Sprint(want) {
			t.Errorf("%q: %+v\nwant %+v", text, *o, want)
		}
	}
}

func TestB03EveryOptionIsTaken(t *testing.T) {
	o, err := ParseOptions("::1", 0, "c.pem", "k.pem", []byte(`{
		"max_request_body_size": 1, "max_header_bytes": 2e3, "max_incoming_streams": 3, "idle_timeout_ms": 104, "handshake_timeout_ms": 105,
		"header_timeout_ms": 16, "body_timeout_ms": 17, "request_timeout_ms": 18, "write_timeout_ms": 19, "receive_window": 9000, "stream_receive_window": 100000,
		"connection_receive_window": 110000, "reset_budget": 12, "max_unverified_handshakes": 13, "initial_packet_size": 1300, "max_packet_size": 1400, "initial_window": 32, "congestion_control": "reno", "high_water_mark": 1024,
		"max_queued_response_bytes": 1048577, "max_connections": 21, "max_connections_per_address": 22, "keep_alive_ms": 23, "max_buffered_body_bytes": 1048578, "date": false,
		"tls": [{"cert": "C", "key": "K"}, {"cert_path": "cp", "key_path": "kp", "server_name": "n"}],
		"go": {"max_procs": 1, "gc_percent": 2, "memory_limit": 3}, "quic_datagrams": true, "raw_datagrams": true,
		"datagrams": {"incoming": 11, "outgoing": 4, "count_lost": true}, "webtransport": {"max_streams_bidi": 5, "max_streams_uni": 6, "max_data": 65536,
		"decision_timeout_ms": 20, "max_early_streams": 24, "capsule_timeout_ms": 25, "capsule_budget": 26, "origins": ["https://a.example", "http://b:8080", "*"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Options{
		Hostname: "::1", MaxRequestBodySize: 1, MaxHeaderBytes: 2000, MaxIncomingStreams: 3,
		IdleTimeout: 104 * time.Millisecond, HandshakeTimeout: 105 * time.Millisecond, HeaderTimeout: 16 * time.Millisecond,
		BodyTimeout: 17 * time.Millisecond, RequestTimeout: 18 * time.Millisecond, WriteTimeout: 19 * time.Millisecond,
		ReceiveWindow: 9000, StreamReceiveWindow: 100000, ConnectionReceiveWindow: 110000, ResetBudget: 12, ResetPeriod: 10 * time.Second, MaxUnverifiedHandshakes: 13,
		InitialPacketSize: 1300, MaxPacketSize: 1400, InitialWindow: 32, CongestionControl: congestion.NewReno,
		HighWaterMark: 1024, MaxQueuedResponseBytes: 1<<20 + 1, Go: GoOptions{1, 2, 3}, QUICDatagrams: true, RawDatagrams: true, MaxConnections: 21, MaxConnectionsPerAddress: 22, KeepAlive: 23 * time.Millisecond, MaxBufferedBodyBytes: 1<<20 + 2, Datagrams: DatagramOptions{11, 4, true},
		WebTransport: WebTransportOptions{MaxStreamsBidi: 5, MaxStreamsUni: 6, MaxData: 65536, MaxEarlyStreams: 24, CapsuleTimeout: 25 * time.Millisecond, CapsuleBudget: 26, DecisionTimeout: 20 * time.Millisecond, Origins: []string{"https://a.example", "http://b:8080", "*"}},
		Certificates: []CertificateSource{{CertPath: "c.pem", KeyPath: "k.pem"}, {Cert: "C", Key: "K", Option: "tls[0]."}, {CertPath: "cp", KeyPath: "kp", ServerName: "n", Option: "tls[1]."}},
	}
	if fmt.Sprint(*o) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", *o, want)
	}
	if o, err = ParseOptions("", 0, "", "", []byte(`{"cert": "C\n", "key": "K"}`)); err != nil || o.Certificates[0] != (CertificateSource{Cert: "C\n", Key: "K"}) {
		t.Errorf("cert and key: %+v, %v", o, err)
	}
}

func TestC09OptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"idle_timeout": 1}`, `unknown option "idle_timeout" (known here: body_timeout_ms, cert, congestion_control, connection_receive_window, datagrams, date, go, handshake_timeout_ms, header_timeout_ms, high_water_mark, idle_timeout_ms, initial_packet_size, initial_window, keep_alive_ms, key, max_buffered_body_bytes, max_connections, max_connections_per_address, max_header_bytes, max_incoming_streams, max_packet_size, max_queued_response_bytes, max_request_body_size, max_unverified_handshakes, quic_datagrams, raw_datagrams, receive_window, request_timeout_ms, reset_budget, stream_receive_window, tls, webtransport, write_timeout_ms)`},
		{`{"Date": true}`, `unknown option "Date" (known here: body_timeout_ms, cert, congestion_control, connection_receive_window, datagrams, date, go, handshake_timeout_ms, header_timeout_ms, high_water_mark, idle_timeout_ms, initial_packet_size, initial_window, keep_alive_ms, key, max_buffered_body_bytes, max_connections, max_connections_per_address, max_header_bytes, max_incoming_streams, max_packet_size, max_queued_response_bytes, max_request_body_size, max_unverified_handshakes, quic_datagrams, raw_datagrams, receive_window, request_timeout_ms, reset_budget, stream_receive_window, tls, webtransport, write_timeout_ms)`},
		{`{"go": {"maxprocs": 1}}`, `unknown option "go.maxprocs" (known here: gc_percent, max_procs, memory_limit)`},
		{`{"tls": [{"cert": "c", "key": "k", "name": "x"}]}`, `unknown option "tls[0].name" (known here: cert, cert_path, key, key_path, server_name)`},
		{`{"max_header_bytes": 1023}`, `max_header_bytes must be a whole number of bytes from 1024 to 65536, not 1023`},
		{`{"max_header_bytes": 65537}`, `max_header_bytes must be a whole number of bytes from 1024 to 65536, not 65537`},
		{`{"max_incoming_streams": 1.5}`, `max_incoming_streams must be a whole number of streams from 1 to 10000, not 1.5`},
		{`{"max_incoming_streams": -1}`, `max_incoming_streams must be a whole number of streams from 1 to 10000, not -1`},
		{`{"max_incoming_streams": 1e400}`, `max_incoming_streams must be a whole number of streams from 1 to 10000, not 1e400`},
		{`{"max_incoming_streams": "5"}`, `max_incoming_streams must be a number, not "5"`},
		{`{"max_incoming_streams": null}`, `max_incoming_streams must be a number, not null`},
		{`{"go": {"gc_percent": -1}}`, `go.gc_percent must be a whole number of percent from 0 to 100000, not -1`},
		{`{"go": 1}`, `go must be an object, not 1`},
		{`{"datagrams": {"count_lost": 1}}`, `datagrams.count_lost must be true or false, not 1`},
		{`{"datagrams": {"lost": 1}}`, `unknown option "datagrams.lost" (known here: count_lost, incoming, outgoing)`},
		{`{"date": 1}`, `date must be true or false, not 1`},
		{`{"datagrams": {"count_lost": 1}}`, `datagrams.count_lost must be true or false, not 1`},
		{`{"datagrams": {"lost": 1}}`, `unknown option "datagrams.lost" (known here: count_lost, incoming, outgoing)`},
		{`{"cert": 1}`, `cert must be a string, not 1`},
		{`{"cert": ""}`, `cert must not be empty`},
		{`{"tls": {}}`, `tls must be an array of objects, not {}`},
		{`{"tls": [1]}`, `tls[0] must be an object, not 1`},
		{`{"tls": [{"cert": "c", "key": "k"}, {"cert": "c"}]}`, `tls[1] takes either key or key_path`},
		{`{"tls": [{"cert": "c", "cert_path": "c", "key": "k"}]}`, `tls[0] takes either cert or cert_path`},
		{`{"date": true, "date": false}`, `the options: the key "date" comes twice`},
		{`{"go": {"max_procs": 1, "max_procs": 1}}`, `go: the key "max_procs" comes twice`},
		{`{"receive_window": 8388608}`, `receive_window (8388608) must not exceed stream_receive_window (6291456)`},
		{`{"connection_receive_window": 65536}`, `stream_receive_window (6291456) must not exceed connection_receive_window (65536)`},
		{`{"initial_packet_size": 1199}`, `initial_packet_size must be a whole number of bytes from 1200 to 1452, not 1199`},
		{`{"max_packet_size": 1453}`, `max_packet_size must be a whole number of bytes from 0 to 1452, not 1453`},
		{`{"max_packet_size": 1199}`, `max_packet_size must be 0 or a whole number of bytes from 1200 to 1452, not 1199`},
		{`{"initial_packet_size": 1300, "max_packet_size": 1299}`, `initial_packet_size (1300) must not exceed max_packet_size (1299)`},
		{`{"congestion_control": "cubic"}`, `congestion_control must be auto, bbr or reno, not "cubic"`},
		{`{"congestion_control": 1}`, `congestion_control must be a string, not 1`},
		{`{"initial_window": 1}`, `initial_window must be a whole number of packets from 2 to 1000, not 1`},
		// Tests have quic-go as it is.
		{`{"congestion_control": "bbr"}`, `congestion_control cannot be bbr: this build has quic-go's own congestion control, which is NewReno`},
		{`{"initial_window": 10}`, `initial_window cannot be other than 32: this build has quic-go's own congestion control`},
		{`[]`, `the options must be an object, not []`},
		{`{`, `the options: not JSON: the text ends too early`},
		{`{"date": tru}`, `the options: not JSON: invalid character '}' in literal true (expecting 'e')`},
		{`{} {}`, `the options: more text follows the JSON object`},
		{"{\"\xff\": 1}", `the options are not UTF-8`},
		{strings.Repeat(" ", 4<<20) + "{}", `the options are 4194306 bytes long, at most 4194304 are taken`},
		{`{"date": "` + strings.Repeat("x", 100) + `"}`, `date must be true or false, not "` + strings.Repeat("x", 39) + `…`},
	} {
		_, err := ParseOptions("", 0, "", "", []byte(c.text))
		var bad *sink.Error
		if !errors.As(err, &bad) || bad.Code != sink.ErrConfig || bad.Text != c.want {
			t.Errorf("%.80s: %v\nwant %s", c.text, err, c.want)
		}
	}
	for name, call := range map[string]func() (*Options, error){
		`hostname "a b" holds a space or a control character`: func() (*Options, error) { return ParseOptions("a b", 0, "", "", nil) },
		`the certificate is given twice: as cert_path or key_path, and in the options as cert or key`: func() (*Options, error) {
			return ParseOptions("", 0, "c", "k", []byte(`{"cert": "x"}`))
		},
	} {
		if _, err := call(); fmt.Sprint(err) != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

func TestCongestionOptions(t *testing.T) {
	for text, want := range map[string]Options{
		`{"congestion_control": "auto"}`:                       {CongestionControl: congestion.Auto, InitialWindow: 32},
		`{"congestion_control": "reno", "initial_window": 32}`: {CongestionControl: congestion.NewReno, InitialWindow: 32},
	} {
		o, err := ParseOptions("", 0, "", "", []byte(text))
		if err != nil || o.CongestionControl != want.CongestionControl || o.InitialWindow != want.InitialWindow {
			t.Errorf("%s: %+v, %v", text, o, err)
		}
	}
	for _, o := range []Options{{CongestionControl: congestion.BBR, InitialWindow: 32}, {InitialWindow: 10}} {
		if err := checkCongestion(o.CongestionControl, o.InitialWindow, true); err != nil {
			t.Errorf("%v, %d: %v", o.CongestionControl, o.InitialWindow, err)
		}
	}
}

// docs/options.md lists what the tables list.
func TestOptionsAreDocumented(t *testing.T) {
	mustList(t, "options.md", slices.Concat(rows(optionKeys[:]), rows(datagramOptionKeys[:]), rows(webTransportOptionKeys[:]), rows(goOptionKeys[:])))
}

// rows are what a document says of a table, without the effects.
func rows[T any](keys []optionKey[T]) []string {
	var rows []string
	for _, k := range keys {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %d | %d | %d", k.name, k.unit, k.initial, k.min, k.max))
	}
	return rows
}

// mustList holds what a document lists against the tables, and gives its text.
func mustList(t *testing.T, document string, want []string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + document)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 6 && strings.HasPrefix(line, "| `") {
			listed = append(listed, strings.Join(cells[:5], " | "))
		}
	}
	if !slices.Equal(listed, want) {
		t.Errorf("docs/%s:\n%s\nthe tables:\n%s", document, strings.Join(listed, "\n"), strings.Join(want, "\n"))
	}
	return string(text)
}

// FuzzParseOptions: any text gives options or an error with ErrConfig.
func FuzzParseOptions(f *testing.F) {
	f.Add([]byte(`{"date": true, "tls": [{"cert": "c", "key_path": "k"}], "go": {"max_procs": 1}, "max_header_bytes": 1e4}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ParseOptions("", 0, "", "", text)
		var bad *sink.Error
		if err == nil && o.MaxHeaderBytes < 1024 || err != nil && (!errors.As(err, &bad) || bad.Code != sink.ErrConfig || bad.Text == "") {
			t.Fatalf("%q: %+v, %v", text, o, err)
		}
	})
}
