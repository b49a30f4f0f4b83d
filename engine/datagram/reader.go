package datagram

import (
	"context"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// read takes what comes until the connection is gone.
func (fs *Flows) read() {
	for {
		data, err := fs.quic.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		if breach := fs.came(data); breach != nil {
			fs.c.Breach(breach.Code, breach.Reason)
		}
	}
}

// came takes a datagram, which is its from now on, and returns what the connection is to be closed for. Only the first one waits: for the
// peer's SETTINGS, a short time, while the others are in QUIC's queue.
func (fs *Flows) came(data []byte) *wire.ConnectionError {
	stats := fs.c.Stats
	stats.Add(sink.StatDatagramsIn, 1)
	d := incoming{data, sink.Monotonic()}
	fs.mu.Lock()
	for fs.whose == undecided && !fs.lost {
		fs.awaitSettings()
		fs.decided.Wait()
	}
	var f *Flow
	switch fs.whose {
	case raws:
		f = fs.raw
	case https:
		stream, payload, err := wire.ParseDatagram(data)
		if err != nil {
			fs.mu.Unlock()
			stats.Add(sink.StatDatagramsDroppedUnknown, 1)
			return err.(*wire.ConnectionError)
		}
		d.bytes = payload
		if f = fs.open[stream]; f == nil {
			fs.keep(stream, d)
			fs.mu.Unlock()
			return nil
		}
	}
	if f == nil || f.closed {
		fs.mu.Unlock()
		stats.Add(sink.StatDatagramsDroppedUnknown, 1)
		return nil
	}
	direct := f.started && !f.delivering
	if direct {
		fs.mu.Unlock()
		if f.deliver(d) {
			return nil
		}
		fs.mu.Lock()
	}
	lost := f.wait(d)
	why := f.dropReason()
	f.startDelivering()
	fs.mu.Unlock()
	f.lose(why, lost)
	return nil
}
