package config

import (
	"fmt"
	"strings"
	"time"

	"zigh3/engine/congestion"
	"zigh3/engine/sink"
)

// Options is all that a server can be told. ParseOptions makes one; every field is valid from then on. docs/options.md describes
// each by its key.
type Options struct {
	Hostname string // address or name to bind; empty: all addresses, of both families where the system has both
	Port     uint16 // UDP port, 0 for one that the system chooses

	Certificates []CertificateSource // in order of preference; empty: a development certificate is made

	MaxRequestBodySize int64 // bytes of one request's body on a buffered route; 0 means that none may come
	MaxHeaderBytes     int   // size of a field section as RFC 9114, 4.2.2 counts it
	MaxIncomingStreams int   // requests that a peer may have open at once on one connection

	MaxConnections           int // in all
	MaxConnectionsPerAddress int // from one IPv4 address, or one network of 64 bits of IPv6

	KeepAlive        time.Duration // of silence, while something is open on a connection; 0: nothing keeps one alive
	IdleTimeout      time.Duration // without a packet from the peer; then the connection is gone
	HandshakeTimeout time.Duration // without a packet from the peer during the handshake
	HeaderTimeout    time.Duration // from a stream's first byte to its complete header block
	BodyTimeout      time.Duration // without a byte of a body that is being waited for
	WriteTimeout     time.Duration // without a byte taken of a response that is waiting for the peer
	RequestTimeout   time.Duration // from the request event to the begin of its response; 0: for ever

	ReceiveWindow           int    // bytes of one request's body that may wait for the consumer
	StreamReceiveWindow     uint64 // the largest that QUIC's window of a stream grows to
	ConnectionReceiveWindow uint64 // the largest that QUIC's window of a connection grows to

	ResetBudget             int // requests, sessions and streams that a peer may give up or break before they are answered, within ResetPeriod
	ResetPeriod             time.Duration
	MaxUnverifiedHandshakes int // while as many handshakes are unfinished, Retry is demanded

	InitialPacketSize uint16 // bytes of UDP payload, until a larger size is known to come through
	MaxPacketSize     uint16 // the same, of all packets; 0: what path MTU discovery finds

	CongestionControl congestion.Algorithm // of connections
	InitialWindow     int                  // packets that may be under way before anything is known of a path

	MaxBufferedBodyBytes   int64 // bytes of all buffered bodies together that have come and were not answered
	HighWaterMark          int   // bytes of one response or stream that may wait for the network; the consumer's side keeps this account
	MaxQueuedResponseBytes int64 // bytes of all of them together, likewise
	Date                   bool  // whether responses without a date get one

	QUICDatagrams bool // raw QUIC datagrams are delivered and may be sent
	RawDatagrams  bool // all datagrams are raw: HTTP datagrams are not offered, and WebTransport with them
	Datagrams     DatagramOptions
	WebTransport  WebTransportOptions

	Go GoOptions
}

// DatagramOptions are about datagrams of every kind.
type DatagramOptions struct {
	Incoming int // datagrams that may wait for room in the consumer's queue, of each session, request or connection
	Outgoing int // datagrams that may wait for the network, of each

	CountLost bool // whether what QUIC drops silently is counted, which every packet pays for
}

// WebTransportOptions are about sessions.
type WebTransportOptions struct {
	MaxStreamsBidi  int           // bidirectional streams that a peer may have open in one session
	MaxStreamsUni   int           // unidirectional ones
	MaxData         int64         // bytes of all streams of a session that may be unread
	MaxEarlyStreams int           // of a session, and of a connection, that may wait for their session
	CapsuleTimeout  time.Duration // that a peer may leave a capsule waiting
	CapsuleBudget   int           // capsules of a session that tell nothing new, within ResetPeriod
	DecisionTimeout time.Duration // from the session's request to its acceptance or rejection
	Origins         []string      // that may open sessions; nil: only the server's own, "*": any
}

// GoOptions are options of Go's own runtime, which are the whole process's. Zero leaves a setting as it is.
type GoOptions struct {
	MaxProcs    int   // processors that run Go code
	GCPercent   int   // heap growth that starts a collection
	MemoryLimit int64 // bytes, soft
}

// A CertificateSource says where one certificate and its key come from: PEM text, or a file with it.
type CertificateSource struct {
	Cert, Key         string // PEM text; empty: CertPath, KeyPath
	CertPath, KeyPath string
	ServerName        string // the name (SNI) it is for; empty: the names it was issued for
	Option            string // what its keys stand in, for errors, as "tls[0]."; empty: the options themselves
}

// Sizes of a packet's UDP payload: every path of QUIC takes the smallest (RFC 9000, 14), and quic-go makes none beyond the largest.
const (
	smallestPacket = 1200
	largestPacket  = 1452
)

// resetPeriod is what ResetPeriod is: tests have less time.
const resetPeriod = 10 * time.Second

// ParseOptions makes options of the parts of a zig_h3_server_config; optionsJSON may be empty. Failures are *Error with ErrConfig
// that name the key and what it takes. No file is read here.
func ParseOptions(hostname string, port uint16, certPath, keyPath string, optionsJSON []byte) (*Options, error) {
	o := &Options{Hostname: hostname, Port: port}
	if i := strings.IndexFunc(hostname, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		return nil, configError("hostname %q holds a space or a control character", hostname)
	}
	o.Date, o.ResetPeriod = true, resetPeriod
	p := optionsParser{options: o}
	setDefaults(o, optionKeys[:])
	setDefaults(&o.Datagrams, datagramOptionKeys[:])
	setDefaults(&o.WebTransport, webTransportOptionKeys[:])
	if len(optionsJSON) > 0 {
		if err := p.parse(optionsJSON); err != nil {
			return nil, err
		}
	}
	if certPath != "" || keyPath != "" {
		if p.pair != (CertificateSource{}) {
			return nil, configError("the certificate is given twice: as cert_path or key_path, and in the options as cert or key")
		}
		p.pair = CertificateSource{CertPath: certPath, KeyPath: keyPath}
	}
	if p.pair != (CertificateSource{}) {
		o.Certificates = append([]CertificateSource{p.pair}, o.Certificates...)
	}
	if o.ReceiveWindow > int(o.StreamReceiveWindow) {
		return nil, configError("receive_window (%d) must not exceed stream_receive_window (%d)", o.ReceiveWindow, o.StreamReceiveWindow)
	}
	if o.StreamReceiveWindow > o.ConnectionReceiveWindow {
		return nil, configError("stream_receive_window (%d) must not exceed connection_receive_window (%d)",
			o.StreamReceiveWindow, o.ConnectionReceiveWindow)
	}
	if o.MaxPacketSize != 0 && o.MaxPacketSize < smallestPacket {
		return nil, configError("max_packet_size must be 0 or a whole number of bytes from %d to %d, not %d", smallestPacket, largestPacket, o.MaxPacketSize)
	}
	if o.MaxPacketSize != 0 && o.InitialPacketSize > o.MaxPacketSize {
		return nil, configError("initial_packet_size (%d) must not exceed max_packet_size (%d)", o.InitialPacketSize, o.MaxPacketSize)
	}
	if err := checkCongestion(o.CongestionControl, o.InitialWindow, congestion.Installed()); err != nil {
		return nil, err
	}
	return o, nil
}

// checkCongestion refuses what a build with quic-go's own congestion control cannot do: see capi/quicgo.
func checkCongestion(a congestion.Algorithm, window int, installed bool) error {
	switch {
	case installed:
	case a == congestion.BBR:
		return configError("congestion_control cannot be bbr: this build has quic-go's own congestion control, which is NewReno")
	case window != congestion.DefaultInitialWindow:
		return configError("initial_window cannot be other than %d: this build has quic-go's own congestion control", congestion.DefaultInitialWindow)
	}
	return nil
}

func configError(format string, args ...any) *sink.Error {
	return &sink.Error{Code: sink.ErrConfig, Text: fmt.Sprintf(format, args...)}
}
