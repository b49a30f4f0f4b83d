package client

import (
	"crypto/tls"
	"testing"
)

// Tickets of one port are not those of another, where another server may be; a session's own connection has those of its origin.
func TestTicketsAreOfOneOrigin(t *testing.T) {
	f := newFixture(t, "")
	of := func(key originKey) (tls.ClientSessionCache, string) {
		c := f.client.tlsFor(key)
		return c.ClientSessionCache, c.ServerName
	}
	cache, name := of(originKey{host: "a.test", port: 443})
	ticket := new(tls.ClientSessionState)
	cache.Put(name, ticket)
	for _, c := range []struct {
		key  originKey
		want *tls.ClientSessionState
	}{
		{originKey{host: "a.test", port: 443}, ticket},
		{originKey{host: "a.test", port: 443, alone: 1}, ticket},
		{originKey{host: "a.test", port: 444}, nil},
		{originKey{host: "b.test", port: 443}, nil},
	} {
		cache, name := of(c.key)
		if got, ok := cache.Get(name); got != c.want || ok != (c.want != nil) {
			t.Errorf("%+v: %p, %v", c.key, got, ok)
		}
	}
}
