package enginetest

import "zigh3/engine/sink"

// Asked says that the consumer has given out a handle for a fetch.
func (m *Contract) Asked(h sink.Handle, userData uint64) {
	m.open[h] = &object{kind: sink.KindFetch, userData: userData}
}

// Connecting says that the consumer has given out a handle for the wish for a connection.
func (m *Contract) Connecting(h sink.Handle, userData uint64) {
	m.open[h] = &object{kind: sink.KindConnect, userData: userData}
}

// connectDone takes the one event of such a wish.
func (m *Contract) connectDone(e *Event) {
	o := m.open[e.Object]
	if o == nil || o.kind != sink.KindConnect || e.UserData != o.userData {
		m.fail("CONNECT_DONE of %d, with user data %d", e.Object, e.UserData)
		return
	}
	if m.live(e.Object) {
		m.fail("wish %d ended, but its handle is live", e.Object)
	}
	c := m.open[e.Conn]
	switch failed := e.Code != sink.OK; {
	case failed != (e.Flags&sink.FlagAborted != 0), failed != (e.Conn == 0):
		m.fail("wish %d ended with code %d, flags %#x and connection %d", e.Object, e.Code, e.Flags, e.Conn)
	case failed && len(e.Data) == 0 && e.Code != sink.ErrCancelled:
		m.fail("wish %d ended with code %d and no reason", e.Object, e.Code)
	case !failed && (c == nil || c.kind != sink.KindConn):
		m.fail("wish %d ended with connection %d, which is not open", e.Object, e.Conn)
	}
	m.close(e.Object, o)
}

// Wanted says that the consumer has given out a handle for a session.
func (m *Contract) Wanted(h sink.Handle, userData uint64) {
	m.open[h] = &object{kind: sink.KindSession, wish: true, userData: userData}
}

// wishConn notes on which connection a session of ours is.
func (m *Contract) wishConn(e *Event, o *object) {
	if o.conn == 0 && e.Conn != 0 {
		o.conn, o.parent = e.Conn, e.Conn
		m.parents[o.parent]++
	}
}

// fetch holds an event of a client's, and reports whether it was one.
func (m *Contract) fetch(e *Event) bool {
	switch e.Type {
	case sink.EventInformational, sink.EventResponse, sink.EventFetchDone:
	case sink.EventClientClosed:
		for h, o := range m.open {
			m.fail("the client is closed, and %s %d has no end", kindName(o.kind), h)
		}
		return true
	default:
		if o := m.open[e.Object]; (o == nil || o.kind != sink.KindFetch) && m.ended[e.Object] != sink.KindFetch {
			return false
		}
	}
	o := m.open[e.Object]
	switch {
	case o == nil && m.ended[e.Object] == sink.KindFetch:
		m.fail("event %d of fetch %d behind its end", e.Type, e.Object)
		return true
	case o == nil || o.kind != sink.KindFetch:
		m.fail("event %d of %d, which is no fetch", e.Type, e.Object)
		return true
	case e.UserData != o.userData:
		m.fail("event %d of fetch %d has user data %d, not %d", e.Type, e.Object, e.UserData, o.userData)
	}
	m.fetchConn(e, o)
	switch e.Type {
	case sink.EventInformational:
		if o.answered || e.Status < 100 || e.Status > 199 {
			m.fail("fetch %d has an informational response %d, and its own: %v", e.Object, e.Status, o.answered)
		}
	case sink.EventResponse:
		if o.answered || e.Status < 200 {
			m.fail("fetch %d has a response %d, and one before: %v", e.Object, e.Status, o.answered)
		}
		o.answered, o.whole, o.bytes = true, e.Flags&sink.FlagEnd != 0, uint64(len(e.Data))
		if !o.whole && len(e.Data) > 0 {
			m.fail("the response of fetch %d has a part of a body", e.Object)
		}
	case sink.EventBody, sink.EventBodyEnd:
		if !o.answered || o.whole {
			m.fail("event %d of fetch %d, which has a response: %v, all of it: %v", e.Type, e.Object, o.answered, o.whole)
		}
		if e.Aux != o.bytes || len(e.Data) > 64<<10 {
			m.fail("event %d of fetch %d at byte %d, not %d, with %d", e.Type, e.Object, e.Aux, o.bytes, len(e.Data))
		}
		o.bytes += uint64(len(e.Data))
		o.whole = e.Type == sink.EventBodyEnd
	case sink.EventStreamStopped:
		if o.stopped || e.Flags&sink.FlagRemote == 0 {
			m.fail("fetch %d was stopped twice: %v, or not by its peer", e.Object, o.stopped)
		}
		o.stopped = true
	case sink.EventFetchDone:
		m.fetchDone(e, o)
	case sink.EventH3Datagram, sink.EventDatagramsDropped, sink.EventWritable:
	default:
		m.fail("event %d of fetch %d", e.Type, e.Object)
	}
	return true
}

// fetchConn notes on which connection a fetch is: a later one is another try, and nothing was told of those before.
func (m *Contract) fetchConn(e *Event, o *object) {
	if e.Conn == o.conn {
		return
	}
	if o.conn != 0 {
		m.fail("event %d of fetch %d is of connection %d, not %d", e.Type, e.Object, e.Conn, o.conn)
		return
	}
	if c := m.open[e.Conn]; c == nil || c.kind != sink.KindConn {
		m.fail("fetch %d on connection %d, which is not open", e.Object, e.Conn)
	}
	o.conn, o.parent = e.Conn, e.Conn
	m.parents[o.parent]++
}

func (m *Contract) fetchDone(e *Event, o *object) {
	if m.live(e.Object) {
		m.fail("fetch %d ended, but its handle is live", e.Object)
	}
	switch failed := e.Code != sink.OK; {
	case failed != (e.Flags&sink.FlagAborted != 0):
		m.fail("fetch %d ended with code %d and flags %#x", e.Object, e.Code, e.Flags)
	case !failed && !o.whole:
		m.fail("fetch %d ended well without all of its response", e.Object)
	case failed && len(e.Data) == 0 && e.Code != sink.ErrCancelled && e.Code != sink.ErrClosed && e.Code != sink.ErrReset:
		m.fail("fetch %d ended with code %d and no reason", e.Object, e.Code)
	}
	if (e.Status != 0) != o.answered {
		m.fail("fetch %d ended with status %d, and a response: %v", e.Object, e.Status, o.answered)
	}
	m.close(e.Object, o)
}
