package udp

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Addresses tells of changes of this machine's addresses and routes, until Close.
type Addresses struct{ f *os.File }

// WatchAddresses begins to.
func WatchAddresses() (*Addresses, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	groups := uint32(unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return &Addresses{os.NewFile(uintptr(fd), "netlink")}, nil
}

// Wait returns once something has changed, or with an error behind Close.
func (a *Addresses) Wait() error {
	var messages [8 << 10]byte
	_, err := a.f.Read(messages[:])
	if errors.Is(err, unix.ENOBUFS) { // so much has changed that the kernel does not say what
		return nil
	}
	return err
}

// Close ends the watch.
func (a *Addresses) Close() error { return a.f.Close() }
