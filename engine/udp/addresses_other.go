//go:build !linux

package udp

import "errors"

// Addresses tells of changes of this machine's addresses and routes, where the system does.
type Addresses struct{}

// WatchAddresses fails: what has changed shows by packets that have no way.
func WatchAddresses() (*Addresses, error) { return nil, errors.ErrUnsupported }

// Wait returns at once.
func (*Addresses) Wait() error { return errors.ErrUnsupported }

// Close does nothing.
func (*Addresses) Close() error { return nil }
