// Package route finds what a request is for by its method and path.
//
//	router.go  patterns: what may stand in one, which goes before which, adding one to a router that runs
//	table.go   the table that a request is looked up in; nothing in it changes once it is there
package route
