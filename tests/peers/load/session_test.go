package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// connectionKey is under which a request's context has its connection.
type connectionKey struct{}

// serveSessions runs a WebTransport server on a port of its own, and gives its address.
func serveSessions(t *testing.T, handler func(*webtransport.Server, http.ResponseWriter, *http.Request)) string {
	server := &webtransport.Server{H3: &http3.Server{
		TLSConfig:  http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate(t)}}),
		QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true},
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, conn)
		},
	}}
	webtransport.ConfigureHTTP3Server(server.H3)
	server.H3.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(server, w, r) })
	conn := listen(t)
	go server.Serve(conn)
	t.Cleanup(func() { server.Close() })
	return conn.LocalAddr().String()
}

func TestSessionsWithAConnectionEachCount(t *testing.T) {
	asked := make(chan any, 3)
	addr := serveSessions(t, func(s *webtransport.Server, w http.ResponseWriter, r *http.Request) {
		asked <- r.Context().Value(connectionKey{})
		s.Upgrade(w, r)
	})
	if done, err := onceOfSessions(t, addr, meeting(t.Context()), 3); done != 3 || err != nil {
		t.Fatalf("%d sessions, error %v, want 3 and none", done, err)
	}
	if connections := map[any]bool{<-asked: true, <-asked: true, <-asked: true}; len(connections) != 3 {
		t.Errorf("%d connections, want 3", len(connections))
	}
}

func TestASessionThatIsRejectedFailsTheRun(t *testing.T) {
	addr := serveSessions(t, func(_ *webtransport.Server, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	const want = "received status 404"
	if done, err := onceOfSessions(t, addr, meeting(t.Context()), 1); done != 0 || message(err) != want {
		t.Errorf("%d sessions, error %q, want 0 and %q", done, message(err), want)
	}
}

// onceOfSessions runs a job of sessions until it has had the given number of turns.
func onceOfSessions(t *testing.T, addr string, j job, requests int) (done int, err error) {
	c, err := dialSessions(t.Context(), addr, new(datagrams))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	*streams = 1
	err = j.run(c, func() bool { requests--; return requests >= 0 }, func(time.Duration) { done++ })
	return done, err
}
