// Package peer is a client's view of the server that it asks: where it is, who it must be, and what its failures mean.
//
//	target.go   a URL: authority and path
//	client.go   the options that say how a server is found and believed, and the client that they make
//	fields.go   header fields, from the command line and as the engine has them
//	failure.go  from the engine's codes to exit codes
package peer
