// Package wt is `h3 wt`: a WebTransport session, standard input and standard output.
//
//	options.go    what the command line says
//	session.go    the session from its begin to its end: events
//	stream.go     standard input to a stream, and streams to standard output
//	datagrams.go  lines to datagrams, and back
package wt
