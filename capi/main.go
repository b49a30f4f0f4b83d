// Package main is the C library: built with -buildmode=c-shared, it is libzigquicheh3.
//
// The public calls are the C files of this folder; no thread of the host ever runs Go. The Go files are the far side of two rings: the
// submission ring, into which the host's threads put what they want of the engine, and the event ring of each queue, into which the engine
// puts what happens. docs/abi.md says what the calls mean.
//
// Calls, in C:
//
//	version, error            versions and sizes; a thread's last failure in words
//	error_names, event_names  the names of codes, and of events
//	queue, drain              a queue; taking its events and waiting for one
//	server                    a server; its counters
//	response, response_headers
//	                          a response, whole or in parts; the headers of one in parts
//	inflow                    what is said of what came in: credit for it, and that no more is wanted of a request's body
//	session, session_answer   a session: its counters, its end, keying material; the decision on it
//	stream                    a session's stream: opening, writing, its ends
//	datagram                  datagrams of all kinds, one or many in a call
//	client, client_fetch, client_session
//	                          a client, its end, its counters; what it is asked for: fetches, sessions
//	client_connect            connections that are made before anything is asked for
//	client_url                URLs of all of those, in their parts
//	alloc                     memory of the library's for a host's buffers
//
// What they stand on, in C, from the bottom up; tests/lint/layering holds their order:
//
//	cancel.h                  no cancellation point where the C library has one
//	prefetch.h, versioned.h   a processor's cache; the second name of each call
//	state, fork, signals      whether the library works: after a fault of its own, in a forked child; what Go's start-up does to a signal
//	config, counter_names     structs of older and newer headers; the names of counters, once the engine has given them
//	given, header_check, utf8 what a caller gave, copied before anything is locked or claimed; what is checked before it is taken
//	ring, reactor             a ring of either kind; the one to the reactor, and his bell
//	handle, account           the table of all objects and their states (table.go); what waits of a server's responses and streams (account.go)
//	refusal                   calls that found no room, until they can be made again (refusal.go)
//	submission, insist        a record for the reactor, of each type; what may not be refused when there is no room for one (attention.go)
//	command                   what a call waits for (command.go)
//	body, chunk, writer       a body on its way to the engine, in the record or beside it (chunk.go); writing by credit
//
// The engine's side, in Go:
//
//	boot, fault, log          the start; a panic; what libraries below would print
//	reactor, vigil            the one goroutine that takes submissions; how long it stays awake for the next
//	reactor_take, command, attention
//	                          what it does with a record; with a command; with slots that found no room in the ring
//	registry                  queues, servers and clients that live, by handle, and how their handles end
//	queue, sink, flood        a consumer's queue; what the engine emits, on its way into the event ring; a consumer who asks for more than
//	                          he drains
//	server, session           a server, with its queues; sessions
//	client, client_take       a client; what the reactor does with a record about one, or about a fetch
//	table, account, chunk     the memory that C and Go share
//	failpoint, failpoint_off  faults on purpose, in a build for tests
package main

// main is never called: a c-shared library begins and ends with its package initialisation, in boot.go.
func main() {}
