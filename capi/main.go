// Package main is the C library: built with -buildmode=c-shared, it is libzigquicheh3.
//
// The public calls are the C files of this folder; no thread of the host ever runs Go. The Go files are the far side of two rings: the
// submission ring, into which the host's threads put what they want of the engine, and the event ring of each queue, into which the engine
// puts what happens. docs/abi.md says what the calls mean.
//
// Calls, in C:
//
//	version, names, error     versions and sizes; the names of codes and events; a thread's last failure in words
//	queue, event, wait        a queue; taking its events; waiting for one. queue_collected: a queue that a collector frees
//	server, stats             a server; its counters
//	request, consumed         what is said of a request's body; credit for what came
//	response_headers, _write, _send, _end
//	                          a response in parts: headers, body; whole; its ends. response.h: what they share
//	session, session_answer, _close, _export
//	                          a session: its counters; the decision; its end; keying material
//	stream, stream_open, _write, _atomic
//	                          a session's stream: its other side; opening; this side; atomic writes and commit
//	datagram, datagram_batch  datagrams of all kinds, one or many in a call
//	alloc                     memory of the library's for a host's buffers
//
// What they stand on, in C:
//
//	handle, account           the table of all objects and their states (table.go); what waits of a server's responses and streams (account.go)
//	ring, submission          a ring of either kind; the submission ring, and the types of its records
//	refusal                   calls that found no room, until they can be made again (refusal.go)
//	command                   what a call waits for (command.go)
//	body, chunk, writer       a body on its way to the engine, in the record or beside it (chunk.go); writing by credit
//	config                    structs of older and newer headers
//	given, header_check, utf8 what a caller gave, copied before anything is locked or claimed; what is checked before it is taken
//	cancel.h                  no cancellation point where the C library has one
//	state, fork, signals      whether the library works: after a fault of its own, in a forked child; what Go's start-up does to a signal
//	prefetch.h, versioned.h   a processor's cache; the second name of each call
//
// The engine's side, in Go:
//
//	boot, fault, log          the start; a panic; what libraries below would print
//	reactor, vigil           the one goroutine that takes submissions; how long it stays awake for the next
//	take, command, attention  what it does with a record; with a command; with slots that found no room in the ring
//	queue, sink, sinks, flood a consumer's queue; what the engine emits, on its way into the event ring; sinks by number; a consumer who
//	                          asks for more than he drains
//	server, session           a server, with its queues; sessions
//	table, account, chunk     the memory that C and Go share
//	failpoint, failpoint_off  faults on purpose, in a build for tests
package main

// main is never called: a c-shared library begins and ends with its package initialisation, in boot.go.
func main() {}
