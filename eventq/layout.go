package eventq

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	magic      = 0x3152334855475a // "ZGUH3R1"
	dataOffset = 4096
	blockSize  = 64 // records begin at its multiples
	headSize   = 64
	closedBit  = 1 // in tail: no claim succeeds any more

	minCapacity = 4 << 10
	maxCapacity = 1 << 30
)

// MaxPayload is the largest payload of one record, meta and data together. Rings below 512 KiB take less.
const MaxPayload = 128 << 10

// header is the first page of a ring.
type header struct {
	magic    uint64
	capacity uint64
	_        [112]byte
	tail     atomic.Uint64
	_        [120]byte
	head     atomic.Uint64
	_        [120]byte
	armed    atomic.Uint32
	wakeFD   int32
	_        [120]byte
	hungry   atomic.Uint32
}

// A Head is what a record begins with: struct zig_h3_record, byte for byte. The size is for Commit to fill.
type Head struct {
	size     uint32
	Type     uint16 // 0 is for fillers
	Flags    uint16
	Object   uint64
	Parent   uint64
	Conn     uint64
	UserData uint64
	Code     int32
	Status   uint32
	MetaLen  uint32
	DataLen  uint32
	Aux      uint64
}

// DataOffset is where the data begins in a payload whose meta part is meta bytes long.
func DataOffset(meta int) int { return (meta + 7) &^ 7 }

// recordSize is what the size word of a record says.
func (h *Head) recordSize() uint64 {
	return headSize + (uint64(h.MetaLen)+7)&^7 + uint64(h.DataLen)
}

func roundBlock(n uint64) uint64 { return (n + blockSize - 1) &^ (blockSize - 1) }

// MemorySize is the number of bytes that a ring of this capacity occupies.
func MemorySize(capacity int) int { return dataOffset + capacity }

// Format makes an empty ring in zeroed memory of MemorySize(capacity) bytes that begins at a multiple of 128. In production C does
// this; here it serves rings in Go memory. capacity must be a power of two of at least 4 KiB.
func Format(mem unsafe.Pointer, capacity int, wakeFD int32) {
	h := (*header)(mem)
	h.capacity = uint64(capacity)
	h.tail.Store(0)
	h.head.Store(0)
	h.armed.Store(0)
	h.hungry.Store(0)
	h.wakeFD = wakeFD
	h.magic = magic
}

// memory is where a ring is. Each side has a copy, so that it is one step away.
type memory struct {
	hdr      *header
	data     unsafe.Pointer
	capacity uint64
	mask     uint64
	wakeFD   int32
	step     func() // tests: happens between a look at the other side and the word that asks it for a wake-up
}

// pause is where a test lets the other side go on.
func (m *memory) pause() {
	if m.step != nil {
		m.step()
	}
}

var errNoRing = errors.New("eventq: this memory holds no ring")

// Open gives a view of a formatted ring.
func Open(mem unsafe.Pointer) (*Ring, error) {
	if mem == nil || uintptr(mem)%128 != 0 {
		return nil, errNoRing
	}
	h := (*header)(mem)
	if h.magic != magic {
		return nil, errNoRing
	}
	if c := h.capacity; c < minCapacity || c > maxCapacity || bits.OnesCount64(c) != 1 {
		return nil, fmt.Errorf("eventq: a ring cannot have a capacity of %d bytes", c)
	}
	m := memory{hdr: h, data: unsafe.Add(mem, dataOffset), capacity: h.capacity, mask: h.capacity - 1, wakeFD: h.wakeFD}
	head := h.head.Load()
	return &Ring{memory: m, read: head, free: head, rung: head}, nil
}

// Capacity is the number of bytes that the ring's data area has.
func (m *memory) Capacity() int { return int(m.capacity) }

// MaxPayload is the largest payload that a record of this ring can have. A record and the filler before it never take more than
// an empty ring has, so each fits sooner or later.
func (m *memory) MaxPayload() int { return int(min(MaxPayload, m.capacity/2-headSize)) }

// at is the record at a position.
func (m *memory) at(pos uint64) *Head { return (*Head)(unsafe.Add(m.data, pos&m.mask)) }

// payload is what follows the head at pos. It is empty rather than a pointer behind the data area.
func (m *memory) payload(pos, n uint64) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(m.data, pos&m.mask+headSize)), n)
}

// clear zeroes the first word of every block from one position to another.
func (m *memory) clear(from, to uint64) {
	for ; from != to; from += blockSize {
		m.at(from).size = 0
	}
}

// published reports whether every record between two positions is.
func (m *memory) published(from, to uint64) bool {
	for from < to {
		size := atomic.LoadUint32(&m.at(from).size)
		if size == 0 {
			return false
		}
		from += roundBlock(uint64(size))
	}
	return true
}
