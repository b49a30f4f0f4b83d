// Package queue is the sink of a Go program: events in memory, and one goroutine, the loop, that handles them and is the only one to call
// the engine about what they name.
//
//	queue.go    a Queue: the loop, what others have it do, records and their order
//	objects.go  handles, and what they stand for; places of datagrams
//	feed.go     from a reader, which may wait, to the loop
//
// It keeps what engine/sink promises: events come in the order in which their records were reserved, producers of bulk wait while more than
// a bound of it is queued, the end of an object is never dropped. What one writes is bounded by whoever writes: chunks have an owner, who
// gets them back once they have left.
package queue
