package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Capsules: those of WebTransport, those that HTTP/3 forbids, and ones that nobody knows.
var capsuleTypes = []uint64{0x2843, 0x2843, 0x78ae, 0x190b4d3d, 0x190b4d3e, 0x190b4d3f, 0x190b4d40, 0x190b4d41, 0x190b4d42, 0x190b4d43,
	0x190b4d44, 0, 0x17, 1 << 60}

// capsule is one that may be good, have a body that is too short or too long, or be cut.
func capsule(r *rand.Rand) []byte {
	kind := capsuleTypes[r.IntN(len(capsuleTypes))]
	body := noise(r, 12)
	switch {
	case kind == 0x2843 && r.IntN(2) == 0:
		body = append([]byte{0, 0, 1, byte(r.Uint32())}, strings.Repeat("w", r.IntN(1100))...)
	case kind == 0x78ae && r.IntN(2) == 0:
		body = nil
	case kind>>8 == 0x190b4d && r.IntN(2) == 0:
		body = quicvarint.Append(nil, r.Uint64()>>(2+r.IntN(62)))
	}
	b := quicvarint.Append(nil, kind)
	length := uint64(len(body))
	if r.IntN(16) == 0 {
		length = r.Uint64() >> (2 + r.IntN(62))
	}
	b = append(quicvarint.Append(b, length), body...)
	if r.IntN(16) == 0 {
		b = b[:r.IntN(len(b))]
	}
	return b
}

// handmade asks for a session or for datagrams on a request stream of its own, as browsers of draft 02 do, and does with it what no
// library would.
func (p *peer) handmade(r *rand.Rand) {
	ctx, cancel := context.WithTimeout(p.ctx, time.Duration(1+r.IntN(300))*time.Millisecond)
	defer cancel()
	str, err := p.h3.OpenRequestStream(ctx)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { str.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if r.IntN(3) == 0 {
		p.datagramRequest(str, r)
		return
	}
	p.n.sessions.Add(1)
	req, err := http.NewRequest(http.MethodConnect, "https://localhost"+sessionPaths[r.IntN(len(sessionPaths))], nil)
	if err != nil {
		panic(err) // of our own making
	}
	req.Proto = "webtransport"
	req.Header = http.Header{"Sec-Webtransport-Http3-Draft02": {"1"}}
	id := uint64(str.StreamID())
	if r.IntN(4) == 0 { // before the session is asked for
		p.stray(r, id)
		p.conn.SendDatagram(append(quicvarint.Append(nil, id/4), noise(r, 100)...))
	}
	if str.SendRequestHeader(req) != nil {
		return
	}
	if r.IntN(4) > 0 {
		if resp, err := str.ReadResponse(); err == nil && resp.StatusCode == http.StatusOK {
			p.n.opened.Add(1)
		}
	}
	for range r.IntN(20) {
		switch r.IntN(4) {
		case 0:
			str.Write(capsule(r))
		case 1:
			p.stray(r, id)
		case 2:
			for range r.IntN(40) {
				str.SendDatagram(noise(r, 1200))
			}
		default:
			pause(r, 3)
		}
	}
	leave(str, r)
}

// leave ends a request stream, one side or both, or neither.
func leave(str *http3.RequestStream, r *rand.Rand) {
	switch r.IntN(4) {
	case 0:
		str.Close()
		io.Copy(io.Discard, str)
	case 1:
		str.Close()
	case 2: // left as it is
		return
	}
	str.CancelWrite(0x10c)
	str.CancelRead(0x10c)
}

// datagramRequest is a request with datagrams, before and after its answer.
func (p *peer) datagramRequest(str *http3.RequestStream, r *rand.Rand) {
	p.n.requests.Add(1)
	req, err := http.NewRequest(http.MethodPost, "https://localhost/datagrams", nil)
	if err != nil {
		panic(err) // of our own making
	}
	if str.SendRequestHeader(req) != nil {
		return
	}
	for range r.IntN(60) {
		str.SendDatagram(noise(r, 1200))
	}
	if r.IntN(2) == 0 {
		str.Close()
	}
	if resp, err := str.ReadResponse(); err == nil && resp.StatusCode > 0 {
		p.n.answers.Add(1)
	}
	for range r.IntN(10) {
		str.SendDatagram(noise(r, 10))
	}
	leave(str, r)
}

// stray opens a stream that says it belongs to the session with this id, which may be wrong or cut.
func (p *peer) stray(r *rand.Rand, id uint64) {
	if r.IntN(200) == 0 {
		id++ // no session has it: ends the connection
	}
	if r.IntN(2) == 0 {
		str, err := p.conn.OpenUniStream()
		if err != nil {
			pause(r, 2)
			return
		}
		header := quicvarint.Append(quicvarint.Append(nil, 0x54), id)
		str.Write(append(header[:len(header)-r.IntN(2)*r.IntN(2)], noise(r, 200)...))
		if r.IntN(2) == 0 {
			str.CancelWrite(0x52e4a40fa8db + 3)
		} else {
			str.Close()
		}
		return
	}
	str, err := p.conn.OpenStream()
	if err != nil {
		pause(r, 2)
		return
	}
	header := quicvarint.Append(quicvarint.Append(nil, 0x41), id)
	str.Write(append(header[:len(header)-r.IntN(2)*r.IntN(2)], noise(r, 200)...))
	if r.IntN(2) == 0 {
		str.CancelWrite(0x52e4a40fa8db + 3)
	} else {
		str.Close()
	}
	str.CancelRead(0x52e4a40fa8db)
}
