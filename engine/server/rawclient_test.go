package server

import (
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
)

// patience bounds a wait for something that must come; it is never reached unless a test fails.
const patience = enginetest.Patience

// Bytes that tests make by hand.
var (
	frame         = enginetest.Frame
	varints       = enginetest.Varints
	headers       = enginetest.Headers
	spelledOut    = enginetest.SpelledOut
	join          = enginetest.Join
	request       = enginetest.Request
	encodeSection = enginetest.Section
)

// dialRaw connects, without opening any stream or reading from one.
func dialRaw(t testing.TB, addr string) *enginetest.Client {
	t.Helper()
	return enginetest.Dial(t, addr, enginetest.Options{RawDatagrams: offersDatagram, StreamsUni: 10, NoControl: true, Unread: true})
}

// dialHTTP connects, and opens the control stream with empty SETTINGS, as every client does.
func dialHTTP(t testing.TB, addr string) (*enginetest.Client, *quic.SendStream) {
	t.Helper()
	c := enginetest.Dial(t, addr, enginetest.Options{RawDatagrams: offersDatagram, StreamsUni: 10, Unread: true})
	return c, c.Control()
}

func post(path string, fields ...string) []byte {
	return headers(append([]string{":method", "POST", ":scheme", "https", ":authority", "h", ":path", path}, fields...)...)
}
