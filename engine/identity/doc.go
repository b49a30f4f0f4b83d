// Package identity is the certificates that a server shows.
//
//	identity.go  certificates: read from files or text, chosen by the name that a client asks for, or made for development where there are none
package identity
