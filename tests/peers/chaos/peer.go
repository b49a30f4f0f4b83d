package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// Kinds of connection.
const (
	plain   = iota // requests only
	raw            // offers DATAGRAM, and has no HTTP datagrams
	general        // HTTP datagrams; its sessions are made by hand, as browsers of draft 02 do
	modern         // sessions by webtransport-go
	kinds
)

func quicConfig(kind int, r *rand.Rand) *quic.Config {
	config := &quic.Config{HandshakeIdleTimeout: time.Second}
	if kind != plain {
		config.EnableDatagrams, config.EnableStreamResetPartialDelivery = true, true
		config.MaxIncomingStreams, config.MaxIncomingUniStreams = 1+r.Int64N(100), 3+r.Int64N(100)
	}
	if r.IntN(3) == 0 {
		config.InitialStreamReceiveWindow, config.MaxStreamReceiveWindow = 2048, 4096
	}
	return config
}

// A peer is one connection's client: it has http, and what the kind of connection has besides.
type peer struct {
	ctx  context.Context
	n    *counts
	conn *quic.Conn
	kind int
	http http.RoundTripper
	h3   *http3.ClientConn        // general
	wt   *webtransport.ClientConn // modern
}

func newPeer(ctx context.Context, conn *quic.Conn, kind int, n *counts) (*peer, error) {
	p := &peer{ctx: ctx, n: n, conn: conn, kind: kind}
	if kind == modern {
		var err error
		p.wt, err = (&webtransport.Transport{
			ApplicationProtocols: []string{"chat", "talk"},
			Config:               &webtransport.Config{MaxIncomingStreams: 20, MaxIncomingUniStreams: 20, MaxIncomingData: 1 << 16},
		}).NewClientConn(conn)
		p.http = p.wt
		return p, err
	}
	p.h3 = (&http3.Transport{DisableCompression: true, EnableDatagrams: kind == general}).NewClientConn(conn)
	p.http = p.h3
	return p, nil
}

// act does one thing.
func (p *peer) act(r *rand.Rand) {
	switch r.IntN(10) {
	case 0:
		p.rubbish(r)
	case 1, 2, 3, 4:
		switch p.kind {
		case modern:
			p.session(r)
			return
		case general:
			p.handmade(r)
			return
		}
		fallthrough
	default:
		p.n.requests.Add(1)
		if request(p.ctx, p.http, r) {
			p.n.answers.Add(1)
		}
	}
}

// rubbish sends what makes no request, session or datagram of anything.
func (p *peer) rubbish(r *rand.Rand) {
	if p.kind != plain && r.IntN(2) == 0 {
		p.conn.SendDatagram(noise(r, 8)) // a stream that there may not be, or a cut number
		return
	}
	if p.kind != plain && r.IntN(2) == 0 {
		p.stray(r, uint64(r.IntN(64)))
		return
	}
	s, err := p.conn.OpenStream()
	if err != nil {
		pause(r, 2)
		return
	}
	if r.IntN(2) == 0 {
		s.Write([]byte{0x01, 0x20, 0x00}) // a header block that never comes
	}
	if r.IntN(4) == 0 {
		pause(r, 20)
	}
	s.CancelWrite(0x10c)
	s.CancelRead(0x10c)
}

// noise is up to n random bytes.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, r.IntN(n+1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// pause waits for less than that many milliseconds.
func pause(r *rand.Rand, ms int) {
	time.Sleep(time.Duration(r.IntN(ms*1000)) * time.Microsecond)
}
