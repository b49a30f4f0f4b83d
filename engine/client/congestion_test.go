package client

import (
	"testing"

	"zigh3/engine/congestion"
	"zigh3/engine/sink"
)

// What a client, or a session of its own, wishes of congestion control is what its connections do when they send. It takes the build's quic-go: the
// suite quicgo runs this.
func TestCongestionControlOfAClient(t *testing.T) {
	if !congestion.Installed() {
		t.Skip("quic-go is built as it is")
	}
	kinds := [...]int{congestion.BBR: sink.StatConnectionsBBR, congestion.NewReno: sink.StatConnectionsReno}
	p := serve(t, "", buffered, echo)
	for _, c := range []struct {
		option string
		want   congestion.Algorithm
	}{{"bbr", congestion.BBR}, {"reno", congestion.NewReno}} {
		f := newFixture(t, `{"congestion_control": "`+c.option+`", "initial_window": 10}`)
		if a := f.start(Request{Method: "POST", Authority: p.addr, Path: "/", Body: sink.Chunk{Bytes: make([]byte, 4<<20)}, End: true}).wait(); a.end.Code != sink.OK {
			t.Fatalf("%v", a)
		}
		eventually(t, c.option, func() bool { return f.stats[kinds[c.want]].Load() == 1 && f.stats[sink.StatSendRate].Load() > 0 })
		if other := kinds[congestion.BBR+congestion.NewReno-c.want]; f.stats[other].Load() != 0 {
			t.Errorf("%s: and the other", c.option)
		}
	}
	s := accepting(t)
	f := newFixture(t, `{"congestion_control": "bbr"}`)
	for _, c := range []struct {
		request   SessionRequest
		bbr, reno uint64 // connections, with those before
	}{
		{SessionRequest{}, 1, 0},
		{SessionRequest{CongestionControl: congestion.NewReno, HasCongestionControl: true}, 1, 1},
		{SessionRequest{CongestionControl: congestion.NewReno, HasCongestionControl: true, Pooled: true}, 2, 1},
	} {
		c.request.Authority = s.addr
		f.want(c.request).wait(sink.EventSessionOpened)
		eventually(t, "the wish", func() bool {
			f.client.pool.mu.Lock()
			defer f.client.pool.mu.Unlock()
			for one := range f.client.pool.conns {
				one.Account()
			}
			return f.stats[sink.StatConnectionsBBR].Load() == c.bbr && f.stats[sink.StatConnectionsReno].Load() == c.reno
		})
	}
}
