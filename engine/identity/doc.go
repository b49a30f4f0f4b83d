// Package identity is the certificates that a server shows, and those that a client believes.
//
//	identity.go  certificates: read from files or text, chosen by the name that a client asks for, or made for development where there are none
//	client.go    a client's authorities, and its own certificate
package identity
