// Command h3 is HTTP/3 and WebTransport from the command line, on the rooms of the engine, without C and without the library.
//
//	main.go   the commands, signals, the exit code
//
// Folders:
//
//	cli    options, help, exit codes
//	queue  the sink that the engine tells what happens, and the loop that handles it
//	peer   whom a client asks: URLs, whom it believes, fields
//	get    h3 get
//	serve  h3 serve
//	wt     h3 wt
//	bench  h3 bench
//
// A command imports cli, queue and peer, and no other command; nothing of the library imports any of them. docs/cli.md is for who uses it.
package main
