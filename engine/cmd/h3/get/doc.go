// Package get is `h3 get`: one request, its redirects, and its response.
//
//	options.go   what the command line says
//	transfer.go  a request from its begin to its end: events
//	redirect.go  where a redirect leads to, and what of the request goes there
//	body.go      the request's body
//	output.go    where the response goes
//	resume.go    a download that goes on where another has ended
//	report.go    what --json and -v tell
//	progress.go  the line on a terminal
//	terminal.go  what a terminal is, and how wide
//	terminal_linux.go  how it is asked for its settings
//	terminal_other.go  the same elsewhere
package get
