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
	awaited      atomic.Uint32
	_            [40]byte
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

// roomy is as in account.c.
func (a *account) roomy() bool {
	queued, most := a.queued.Load(), a.most.Load()
	return queued == 0 || queued+min(C.ACCOUNT_ROOM, most) <= most
}

// give is account_give.
func (a *account) give(n uint64) {
	a.queued.Add(-n)
	if a.awaited.Load() != 0 && a.roomy() && a.awaited.CompareAndSwap(1, 0) {
		callReactor()
	}
}
