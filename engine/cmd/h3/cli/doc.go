// Package cli is what all commands of the program are made of: their options, and how they end.
//
//	command.go  a command with its options, and its help
//	parse.go    from arguments to options and operands
//	values.go   what options take: texts, numbers, times
//	exit.go     exit codes, and failures that have one
package cli
