// Package serve is `h3 serve`: the files of a folder.
//
//	options.go      what the command line says
//	server.go       the server, its requests and its end: events
//	path.go         from a request's path to a name below the folder
//	answer.go       what a request is answered with
//	conditions.go   conditional requests (RFC 9110, 13)
//	ranges.go       parts (RFC 9110, 14)
//	listing.go      what is shown of a folder
//	content_type.go types by name
//	response.go     a file on its way
//
// Whatever waits for a disk does so on the goroutine of its response, of which there is a bounded number. No name leads out of the folder, by
// no path and by no symbolic link: os.Root sees to it.
package serve
