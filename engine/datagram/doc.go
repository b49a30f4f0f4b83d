// Package datagram carries the datagrams of one connection, of either role: QUIC's own (raw), and HTTP's (RFC 9297), which belong to a
// request or a session by the id of its stream. What a flow belongs to it knows only as an id, the head of an event and a function that
// publishes one.
//
// Incoming: one goroutine a connection takes what QUIC has (its queue of 128 drops silently, so this goroutine waits for nobody), finds the
// flow under one small lock and hands the datagram to the sink. What there is no room for waits in its flow, the newest, a bounded number;
// a goroutine of the flow's own delivers it. What comes before its stream waits, too. Each datagram that came is counted once more: as
// delivered, or as dropped for one reason.
//
// Outgoing: a queue for each flow, and one goroutine a connection, while something is queued, that sends one of each in turn: QUIC's call
// may wait, Send never does.
//
//	flows.go     the datagrams of a connection: its flows by stream, begin and end
//	flow.go      one flow, both ways, and its counters
//	whose.go     whether a connection's datagrams are raw or HTTP's
//	reader.go    the goroutine that takes what comes
//	early.go     what came before its stream
//	incoming.go  what the consumer has no room for
//	outgoing.go  the queue of a flow, its limit and its places
//	sender.go    the goroutine that sends
//	drops.go     telling the consumer what was not sent
//	ring.go      a queue
//	recorder.go  counting what quic-go drops silently
//
// Locks: Flows.mu (incoming), then sender.mu (outgoing), then the connection's. None is held while an event is published: that takes the
// lock of the flow's owner, who may hold it while it calls Close.
package datagram
