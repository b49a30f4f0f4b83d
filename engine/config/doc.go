// Package config is what a server, or a client, can be told: options, their defaults and bounds, and how they are read from JSON. docs/options.md is held
// against it by a test.
//
//	options.go         Options, what each of them is, and rules between several
//	option_table.go    options with a number: key, unit, bounds, default
//	options_parser.go  the JSON text, key by key; options that are no number
//	client.go          ClientOptions, the same of a client
//	client_table.go    a client's options with a number
//	client_parser.go   the JSON text of a client
package config
