// Package heap keeps Go's collector from running all the time while little is alive.
//
// A collection is due when the heap has grown by as much as is alive, but by no less than 4 MiB. An engine that serves small requests has a
// few MiB alive and leaves that much behind it every few thousand requests: a tenth of its time went into collections.
//
//	floor.go  what counts as alive beside what is
package heap
