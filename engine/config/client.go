package config

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"zigh3/engine/congestion"
)

// ClientOptions is all that a client can be told. ParseClientOptions makes one; every field is valid from then on.
type ClientOptions struct {
	// Whom the client believes. Connections of one client differ in none of these: clients share nothing.
	SystemRoots       bool                // the system's authorities
	Roots             string              // PEM text with more of them, or with all of them
	RootsPath         string              // a file with it
	ServerName        string              // the name (SNI, and in the certificate) of all servers; empty: that of the origin
	Insecure          bool                // any certificate will do
	CertificateHashes [][sha256.Size]byte // of leaf certificates; nothing else is looked at then but what the W3C wants of them
	Certificate       *CertificateSource  // what the client shows to a server that asks; nil: nothing

	ALPN   []string // protocols that are offered in the handshake, the most wanted first; HTTP/3 is spoken whichever the server chooses
	Origin string   // the field origin of sessions that have none of their own; empty: none

	Hosts map[string][]netip.AddrPort // by name, or name:port; where to go instead of asking the resolver. Port 0: the origin's

	ConnectTimeout  time.Duration // from the wish for a connection to the end of its handshake, names looked up
	ResponseTimeout time.Duration // from the fetch to the head of its response; 0: for ever
	RequestTimeout  time.Duration // from the fetch to its end; 0: for ever
	BodyTimeout     time.Duration // without a byte of a response's body that is being waited for; 0: for ever
	WriteTimeout    time.Duration // without a byte taken of a request's body that is waiting for the peer
	HeaderTimeout   time.Duration // from the first byte of a stream that the server opens to the end of what it begins with
	IdleTimeout     time.Duration // without a packet from the peer; then the connection is gone
	KeepAlive       time.Duration // of silence, while something is open on a connection; 0: nothing keeps one alive

	MaxConnections          int           // in all
	MaxConnectionsPerOrigin int           // to one origin
	MaxQueued               int           // fetches that may wait for a connection or a stream
	QueueTimeout            time.Duration // that one may wait
	IdleConnection          time.Duration // that a connection may be without a fetch or a session

	MaxHeaderBytes          int    // size of a field section as RFC 9114, 4.2.2 counts it
	ReceiveWindow           int    // bytes of one response's body that may wait for the consumer
	StreamReceiveWindow     uint64 // the largest that QUIC's window of a stream grows to
	ConnectionReceiveWindow uint64 // the largest that QUIC's window of a connection grows to
	HighWaterMark           int    // bytes of one request's body or of a stream that may wait for the network; the consumer's side keeps this account
	MaxQueuedRequestBytes   int64  // bytes of all of them together, likewise

	ResetBudget int // sessions' streams that a peer may give up within ResetPeriod
	ResetPeriod time.Duration

	InitialPacketSize uint16               // bytes of UDP payload, until a larger size is known to come through
	MaxPacketSize     uint16               // the same, of all packets; 0: what path MTU discovery finds
	CongestionControl congestion.Algorithm // of connections
	InitialWindow     int                  // packets that may be under way before anything is known of a path

	EarlyData bool // safe requests may go out as 0-RTT data

	QlogPath           string // a folder that gets a file for each connection; empty: none is written
	QlogMaxBytes       int64  // of one of them
	QlogMaxConnections int    // that get one
	KeyLogPath         string // a file that gets the secrets of all connections; empty: none is written

	QUICDatagrams bool // raw QUIC datagrams are delivered and may be sent
	Datagrams     DatagramOptions
	WebTransport  *WebTransportOptions // nil: the client offers no sessions
}

// ParseClientOptions makes options of their JSON text, which may be empty. Failures are *sink.Error with ErrConfig that name the key and what
// it takes. No file is read here.
func ParseClientOptions(optionsJSON []byte) (*ClientOptions, error) {
	o := &ClientOptions{ALPN: []string{"h3"}, ResetPeriod: resetPeriod, WebTransport: &WebTransportOptions{}}
	setDefaults(o, clientOptionKeys[:])
	setDefaults(&o.Datagrams, datagramOptionKeys[:])
	setDefaults(o.WebTransport, webTransportOptionKeys[:])
	p := clientParser{options: o, sessions: true}
	if len(optionsJSON) > 0 {
		if err := p.parse(optionsJSON); err != nil {
			return nil, err
		}
	}
	if !p.systemRootsGiven {
		o.SystemRoots = o.Roots == "" && o.RootsPath == ""
	}
	if !p.sessions {
		o.WebTransport = nil
	}
	return o, o.check(&p)
}

// check holds options against each other.
func (o *ClientOptions) check(p *clientParser) error {
	switch {
	case o.Roots != "" && o.RootsPath != "":
		return configError("the authorities are given twice: as roots and as roots_path")
	case !o.SystemRoots && o.Roots == "" && o.RootsPath == "" && !o.Insecure && len(o.CertificateHashes) == 0:
		return configError("with system_roots false no server is believed: roots, roots_path, certificate_hashes or insecure is missing")
	case o.Insecure && len(o.CertificateHashes) > 0:
		return configError("insecure and certificate_hashes contradict each other")
	case p.cert != (p.key != ""):
		return configError("a client's certificate and its key belong together: cert or cert_path, and key or key_path")
	case o.ReceiveWindow > int(o.StreamReceiveWindow):
		return configError("receive_window (%d) must not exceed stream_receive_window (%d)", o.ReceiveWindow, o.StreamReceiveWindow)
	case o.StreamReceiveWindow > o.ConnectionReceiveWindow:
		return configError("stream_receive_window (%d) must not exceed connection_receive_window (%d)", o.StreamReceiveWindow, o.ConnectionReceiveWindow)
	case o.MaxPacketSize != 0 && o.MaxPacketSize < smallestPacket:
		return configError("max_packet_size must be 0 or a whole number of bytes from %d to %d, not %d", smallestPacket, largestPacket, o.MaxPacketSize)
	case o.MaxPacketSize != 0 && o.InitialPacketSize > o.MaxPacketSize:
		return configError("initial_packet_size (%d) must not exceed max_packet_size (%d)", o.InitialPacketSize, o.MaxPacketSize)
	case o.MaxConnectionsPerOrigin > o.MaxConnections:
		return configError("max_connections_per_origin (%d) must not exceed max_connections (%d)", o.MaxConnectionsPerOrigin, o.MaxConnections)
	}
	return checkCongestion(o.CongestionControl, o.InitialWindow, congestion.Installed())
}
