package main

/*
#include "account.h"
*/
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// account mirrors struct account, whose comments say what it is.
type account struct {
	queued, most atomic.Uint64
	highWater    atomic.Uint32
	_            [44]byte
}

var accounts = (*[slotCount]account)(unsafe.Pointer(C.account_at(0)))

// mark is account_mark.
func (a *account) mark() uint64 {
	mark := a.highWater.Load()
	if a.queued.Load() >= a.most.Load() {
		mark = min(mark, C.ACCOUNT_FLOOR)
	}
	return uint64(mark)
}

// give is account_give.
func (a *account) give(n uint64) { a.queued.Add(-n) }
