// Package udp is the socket that QUIC reads from: the kernel gives datagrams of one peer many at a time, where it can.
//
//	socket_linux.go     messages of several datagrams (UDP_GRO), several with one system call
//	socket_other.go     where there is no such thing
//	lasting.go          a client's, which outlives its addresses
//	addresses_linux.go  changes of the machine's addresses
//	addresses_other.go  where the system does not tell of them
package udp
