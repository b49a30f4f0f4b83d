// Package bench is `h3 bench`: the same request again and again, and what that took.
//
//	options.go        what the command line says
//	load.go           connections, their requests in flight, phases
//	connection.go     one of them: events
//	histogram.go      latencies
//	report.go         what is written
//	process_linux.go  what a process has cost
//	process_other.go  where that is not known
//	own_cpu.go        what this program has cost
//
// Each connection is a client of its own, so that there are as many as were asked for. Their events go to as many loops as there are
// processors, or connections if those are fewer.
package bench
