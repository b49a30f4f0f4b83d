// Package main is the C library: built with -buildmode=c-shared, it is libzigquicheh3.
//
// The public calls are the C files of this folder; no thread of the host ever runs Go. The Go files are the far side of two rings:
// reactor.go takes what the host's threads submitted to the engine, sink.go puts what the engine emits into the rings of the
// consumers' queues, and command.go answers the few calls that wait.
package main

// main is never called: a c-shared library begins and ends with its package initialisation, in boot.go.
func main() {}
