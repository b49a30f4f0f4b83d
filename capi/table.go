package main

/*
#include "handle.h"
*/
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// Kinds of handles; the values are those of enum handle_kind.
const (
	kindQueue   = C.KIND_QUEUE
	kindServer  = C.KIND_SERVER
	kindConn    = C.KIND_CONN
	kindRequest = C.KIND_REQUEST
	kindSession = C.KIND_SESSION
	kindStream  = C.KIND_STREAM
	kindClient  = C.KIND_CLIENT
	kindFetch   = C.KIND_FETCH
	kindConnect = C.KIND_CONNECT
)

const (
	slotCount       = C.HANDLE_SLOTS
	generationShift = C.HANDLE_GENERATION_SHIFT
	generationMask  = C.HANDLE_GENERATION_MASK
	slotWaking      = C.HANDLE_WAKING
	kindShift       = C.HANDLE_KIND_SHIFT
	kindMask        = 0xf << kindShift
	nameMask        = kindMask | generationMask<<generationShift
	arrivedBits     = C.HANDLE_ARRIVED_BITS
)

// slot mirrors struct slot, whose comments say what each field is.
type slot struct {
	word, credit, object, arrived atomic.Uint64
	owed, datagrams               atomic.Uint32
	codes, attention              atomic.Uint64
	account                       atomic.Uint32 // of a free slot: nextFree
	nextAttention                 atomic.Uint32
}

func (p *slot) nextFree() *atomic.Uint32 { return &p.account }

// tableHead mirrors struct handle_table.
type tableHead struct {
	free      atomic.Uint64
	_         [120]byte
	used      atomic.Uint32
	_         [124]byte
	attention atomic.Uint32
}

// An entry is what the engine keeps beside a slot, for the kinds of objects that the host's submissions are about. It is only right
// for a handle whose slot says so, looked at afterwards: see objectOf.
type entry struct {
	object unsafe.Pointer // to what the handle's kind says: *server.Request, *datagramSender, ...
	sink   atomic.Pointer[queueSink]
	parent atomic.Uint64 // stream: its session
}

const (
	pageEntries = 1 << 10
	pageCount   = slotCount / pageEntries
)

var (
	slots = (*[slotCount]slot)(unsafe.Pointer(C.handle_base()))
	table = (*tableHead)(unsafe.Pointer(&C.handle_table))

	// pages hold the entries. A page is made when a slot of it is first used: a table of a million pointers would be scanned by
	// every collection.
	pages [pageCount]atomic.Pointer[[pageEntries]entry]
)

func indexOf(h uint64) uint32 { return uint32(h) & (slotCount - 1) }

func entryOf(index uint32) *entry {
	page := pages[index/pageEntries].Load()
	if page == nil {
		pages[index/pageEntries].CompareAndSwap(nil, new([pageEntries]entry))
		page = pages[index/pageEntries].Load()
	}
	return &page[index%pageEntries]
}

// issue gives out a handle of an object that lives in C; see sink.issue for those of the engine. It reports false when all slots are
// in use.
func issue(kind, object uint64) (uint64, bool) {
	index, ok := takeSlot()
	if !ok {
		return 0, false
	}
	return name(kind, index, object, 0), true
}

// name makes a taken slot an object's, with these state bits, and gives its handle.
func name(kind uint64, index uint32, object, state uint64) uint64 {
	p := &slots[index]
	p.object.Store(object)
	word := p.word.Load()
	generation := (word>>generationShift + 1) & generationMask
	wrapped := word & C.SLOT_WRAPPED
	if generation == 0 {
		generation, wrapped = 1, C.SLOT_WRAPPED
	}
	name := kind<<kindShift | generation<<generationShift
	p.arrived.Store(generation << arrivedBits)
	p.word.Store(name | wrapped | state)
	return name | uint64(index)
}

// announce sets state bits of an object that the consumer is about to hear of: from now on its handle is a live one.
func announce(h, bits uint64) {
	p := &slots[indexOf(h)]
	for {
		word := p.word.Load()
		if (word^h)&nameMask != 0 || p.word.CompareAndSwap(word, word&^C.SLOT_UNTOLD|bits) {
			return
		}
	}
}

// forgotten reports whether the host has made the handle of an object stale that the engine still has.
func forgotten(h uint64) bool {
	word := slots[indexOf(h)].word.Load()
	return (word^h)&nameMask == 0 && word&C.SLOT_FORGOTTEN != 0
}

// gain sets state bits of an object. It reports false when that has ended: then nothing happens.
func gain(h, bits uint64) bool {
	p := &slots[indexOf(h)]
	for {
		word := p.word.Load()
		if (word^h)&nameMask != 0 {
			return false
		}
		if p.word.CompareAndSwap(word, word|bits) {
			return true
		}
	}
}

// lose takes state bits of an object back, unless it has ended.
func lose(h, bits uint64) {
	p := &slots[indexOf(h)]
	for {
		word := p.word.Load()
		if (word^h)&nameMask != 0 || p.word.CompareAndSwap(word, word&^bits) {
			return
		}
	}
}

// arrive counts bytes that came for an object, unless it has ended.
func arrive(h uint64, n uint32) {
	p := &slots[indexOf(h)]
	generation := h >> generationShift & generationMask
	for {
		now := p.arrived.Load()
		if now>>arrivedBits != generation || p.arrived.CompareAndSwap(now, generation<<arrivedBits|uint64(uint32(now)+n)) {
			return
		}
	}
}

func takeSlot() (uint32, bool) {
	for {
		head := table.free.Load()
		link := uint32(head)
		if link == 0 {
			break
		}
		next := (head>>32+1)<<32 | uint64(slots[link-1].nextFree().Load())
		if table.free.CompareAndSwap(head, next) {
			return link - 1, true
		}
	}
	for {
		used := table.used.Load()
		if used == slotCount {
			link := uint32(C.handle_rouse())
			return link - 1, link != 0
		}
		if table.used.CompareAndSwap(used, used+1) {
			return used, true
		}
	}
}

// release makes a handle stale, and reports whether the host had not done so itself. It never waits: a host thread that is inside the slot
// gives it back when it leaves.
func release(h uint64) (wanted bool) {
	index := indexOf(h)
	p := &slots[index]
	for {
		word := p.word.Load()
		if (word^h)&nameMask != 0 {
			return false
		}
		if h>>kindShift > kindServer {
			// Only here and now does nobody else write it: the next one may be issued as soon as the kind is gone.
			e := entryOf(index)
			atomic.StorePointer(&e.object, nil)
			e.sink.Store(nil)
		}
		if !p.word.CompareAndSwap(word, word&^kindMask) {
			continue
		}
		if word&C.SLOT_LOCKED == 0 {
			giveSlot(index)
		}
		return word&C.SLOT_FORGOTTEN == 0
	}
}

// giveSlot is handle_recycle for a slot with nothing to free that need not rest, which is nearly every one.
func giveSlot(index uint32) {
	p := &slots[index]
	if p.object.Load() != 0 || p.word.Load()>>generationShift%slotWaking == 0 {
		C.handle_recycle((*C.struct_slot)(unsafe.Pointer(p)))
		return
	}
	if left := p.credit.Swap(0) >> 1; left != 0 {
		accounts[p.account.Load()].give(left)
	}
	for {
		head := table.free.Load()
		p.nextFree().Store(uint32(head))
		if table.free.CompareAndSwap(head, (head>>32+1)<<32|uint64(index+1)) {
			return
		}
	}
}

// objectOf gives the object that a handle names, of the type that its kind has, and its sink; nil when it has ended. The slot is looked
// at after the entry: if it still has the handle's name, what was in the entry is the handle's, or gone already, one or the other of it,
// because the handle is about to be.
func objectOf[T any](h, kind uint64) (*T, *queueSink) {
	if h>>kindShift != kind {
		return nil, nil
	}
	e := entryOf(indexOf(h))
	object, s := atomic.LoadPointer(&e.object), e.sink.Load()
	if object == nil || s == nil || (slots[indexOf(h)].word.Load()^h)&nameMask != 0 {
		return nil, nil
	}
	return (*T)(object), s
}
