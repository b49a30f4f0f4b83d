package enginetest

import (
	"crypto/tls"
	"slices"

	"github.com/quic-go/quic-go"
)

// Options say what a client offers, what it withholds, and what it leaves to the test.
type Options struct {
	// Datagrams offers DATAGRAM, in QUIC and in SETTINGS.
	Datagrams bool
	// RawDatagrams offers it in QUIC alone.
	RawDatagrams bool
	// ResetPartialDelivery offers RESET_STREAM_AT.
	ResetPartialDelivery bool
	// Dialect is that of WebTransport; nil: nothing is said of sessions. One implies Datagrams, and
	// ResetPartialDelivery if it has that.
	Dialect *Dialect
	// Protocols are offered with each session.
	Protocols []string
	// Settings are sent behind what the above comes to.
	Settings []Setting

	// MaxStreamsBidi, MaxStreamsUni and MaxData are the session's flow control, of a dialect that has it. 0: not announced.
	MaxStreamsBidi, MaxStreamsUni, MaxData uint64
	// WithholdSessionCredit gives none in a session but what SETTINGS gave.
	WithholdSessionCredit bool
	// IgnoreSessionLimits opens and sends in sessions what it likes.
	IgnoreSessionLimits bool
	// LeaveCapsules leaves CONNECT streams unread behind the response, so that they get no credit.
	LeaveCapsules bool

	// StreamWindow and ConnWindow are all the credit that streams and the connection get until something is read. 0: quic-go's.
	StreamWindow, ConnWindow uint64
	// StreamsBidi and StreamsUni are how many the server may open. 0: quic-go's; negative: none.
	StreamsBidi, StreamsUni int64

	// QPACKStreams opens both.
	QPACKStreams bool
	// NoControl opens no stream.
	NoControl bool
	// Unread leaves streams and datagrams that come to the test.
	Unread bool

	// TLS is used instead of what accepts any certificate.
	TLS *tls.Config
}

// datagrams reports whether DATAGRAM is announced in SETTINGS.
func (o *Options) datagrams() bool { return o.Datagrams || o.Dialect != nil }

func (o *Options) quic() *quic.Config {
	return &quic.Config{
		EnableDatagrams:                  o.datagrams() || o.RawDatagrams,
		EnableStreamResetPartialDelivery: o.ResetPartialDelivery || o.Dialect != nil && o.Dialect.ResetAt,
		InitialStreamReceiveWindow:       o.StreamWindow,
		MaxStreamReceiveWindow:           o.StreamWindow,
		InitialConnectionReceiveWindow:   o.ConnWindow,
		MaxConnectionReceiveWindow:       o.ConnWindow,
		MaxIncomingStreams:               o.StreamsBidi,
		MaxIncomingUniStreams:            o.StreamsUni,
	}
}

func (o *Options) tls() *tls.Config {
	c := o.TLS.Clone()
	if c == nil {
		c = &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	}
	if len(c.NextProtos) == 0 {
		c.NextProtos = []string{"h3"}
	}
	return c
}

// settings are all that are sent.
func (o *Options) settings() []Setting {
	var all []Setting
	if o.datagrams() {
		all = append(all, Setting{SettingDatagram, 1})
	}
	if d := o.Dialect; d != nil {
		all = append(all, d.Announce...)
		if d.FlowControl {
			for _, s := range []Setting{{SettingSessionMaxData, o.MaxData}, {SettingSessionMaxStreamsUni, o.MaxStreamsUni}, {SettingSessionMaxStreamsBidi, o.MaxStreamsBidi}} {
				if s.Value > 0 {
					all = append(all, s)
				}
			}
		}
	}
	return slices.Concat(all, o.Settings)
}

// limits reports whether the session's flow control is announced.
func (o *Options) limits() bool {
	return o.Dialect != nil && o.Dialect.FlowControl && (o.MaxData > 0 || o.MaxStreamsUni > 0 || o.MaxStreamsBidi > 0)
}
