package client

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

func TestTheProtocolsThatAreOffered(t *testing.T) {
	cert, _ := certificate(t, nil)
	r := listenRawTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"other"}}, nil, answering(headers(":status", "200")))
	for options, code := range map[string]sink.Code{"": sink.ErrHandshake, `{"alpn": ["h3", "other"]}`: sink.OK} {
		f := newFixture(t, options)
		a := f.startGet(r.addr)
		if a.wait(); a.end.Code != code {
			t.Errorf("%s: %v", options, a)
		}
	}
}

func TestTheOriginOfSessions(t *testing.T) {
	for own, origin := range map[string]string{"": "https://option.example", "https://own.example": "https://own.example"} {
		heads := make(chan []string, 1)
		r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
			k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 4)
			if s, head := k.nextHead(); s != nil {
				heads <- head
				s.Write(headers(":status", "200"))
			}
			<-k.Context().Done()
		})
		f := newFixture(t, `{"origin": "https://option.example"}`)
		request := SessionRequest{Authority: r.addr}
		if own != "" {
			request.Headers = wire.AppendPacked(nil, "origin", own)
		}
		f.want(request).wait(sink.EventSessionOpened)
		head := within(t, "the head", heads)
		if at := slices.Index(head, "origin"); at < 0 || head[at+1] != origin || slices.Index(head[at+1:], "origin") >= 0 {
			t.Errorf("with %q of its own: %q", own, head)
		}
	}
}
