package eventq

import (
	"testing"

	"pgregory.net/rapid"
)

// An entry is a record, or a filler, as the model has it.
type entry struct {
	id      uint64
	size    uint64 // bytes of ring that it takes
	payload []byte
	state   entryState
	rec     Record
	pos     uint64
}

type entryState int

const (
	open entryState = iota
	committed
	filler
)

// A model is what a Queue and its Ring should do, in plain slices. Only one thread uses it.
type model struct {
	capacity uint64
	ring     []*entry
	tail     uint64
	head     uint64
	overflow []*entry
	lost     [Types]uint64
	nextID   uint64

	opened []*entry // reserved, in the ring or not
	inRing map[*entry]bool
}

// place appends an entry to the ring if at most limit bytes would then be in use.
func (m *model) place(e *entry, limit uint64) bool {
	pad := m.capacity - m.tail%m.capacity
	if pad >= e.size {
		pad = 0
	}
	if m.tail+pad+e.size-m.head > limit {
		return false
	}
	if pad != 0 {
		m.ring = append(m.ring, &entry{size: pad, state: filler, pos: m.tail})
	}
	e.pos = m.tail + pad
	m.tail = e.pos + e.size
	m.ring = append(m.ring, e)
	m.inRing[e] = true
	return true
}

func (m *model) refill() {
	for len(m.overflow) != 0 && m.place(m.overflow[0], m.capacity) {
		m.overflow = m.overflow[1:]
	}
}

// reserve says what Reserve has to answer.
func (m *model) reserve(class Class, n int) (*entry, bool) {
	m.nextID++
	e := &entry{id: m.nextID, size: roundBlock(headSize + uint64(n))}
	spilling := len(m.overflow) != 0
	switch class {
	case Lossless:
		if !spilling {
			m.place(e, m.capacity)
		}
	case Bulk: // with nobody to wait for
		if spilling {
			m.refill()
		}
		if len(m.overflow) != 0 || !m.place(e, m.capacity) {
			return nil, false
		}
	default:
		if spilling || !m.place(e, m.capacity/2) {
			if class != Patient {
				m.lost[class.typ()]++
			}
			return nil, false
		}
	}
	m.opened = append(m.opened, e)
	return e, true
}

// resize ends a reservation with used bytes of ring: 0 for one that is aborted.
func (m *model) resize(e *entry, used uint64) {
	end := e.pos + e.size
	rest := e.size - used
	e.size = used
	switch {
	case rest == 0:
	case m.tail == end:
		m.tail -= rest
		if used == 0 {
			m.ring = m.ring[:len(m.ring)-1]
			m.refill()
		}
	case used == 0:
		e.size, e.state = rest, filler
	default:
		for i, x := range m.ring {
			if x == e {
				after := append([]*entry{{size: rest, state: filler}}, m.ring[i+1:]...)
				m.ring = append(m.ring[:i+1], after...)
				break
			}
		}
	}
}

// drain says what Drain has to give.
func (m *model) drain(max int) []*entry {
	var out []*entry
	for max == 0 || len(out) < max {
		m.passFillers()
		if len(m.ring) == 0 || m.ring[0].state != committed {
			break
		}
		out = append(out, m.ring[0])
		m.head += m.ring[0].size
		m.ring = m.ring[1:]
	}
	return out
}

// passFillers does what every look at the ring does.
func (m *model) passFillers() {
	for len(m.ring) != 0 && m.ring[0].state == filler {
		m.head += m.ring[0].size
		m.ring = m.ring[1:]
	}
}

// stain is the byte that a payload is filled with at a place.
func stain(id uint64, at int) byte { return byte(id*31+uint64(at)) | 0x80 }

// queueAgainstModel drives a queue and the model with the same steps, and wants the same of both at each.
func queueAgainstModel(t *rapid.T) {
	capacity := rapid.SampledFrom([]int{4 << 10, 8 << 10}).Draw(t, "capacity")
	mem := alloc(MemorySize(capacity))
	Format(mem, capacity, -1)
	r, err := Open(mem)
	if err != nil {
		t.Fatal(err)
	}
	q := New(r)
	m := &model{capacity: uint64(capacity), inRing: map[*entry]bool{}}

	pick := func(t *rapid.T) *entry {
		if len(m.opened) == 0 {
			return nil
		}
		i := rapid.IntRange(0, len(m.opened)-1).Draw(t, "which")
		e := m.opened[i]
		m.opened = append(m.opened[:i], m.opened[i+1:]...)
		return e
	}
	commit := func(e *entry, meta, data int) {
		n := DataOffset(meta) + data
		e.payload = append([]byte(nil), e.rec.Payload[:n]...)
		q.Commit(e.rec, &Head{Type: 1, Object: e.id, MetaLen: uint32(meta), DataLen: uint32(data)})
		e.state = committed
		if m.inRing[e] {
			m.resize(e, roundBlock(headSize+uint64(n)))
		} else {
			e.size = roundBlock(headSize + uint64(n))
			m.overflow = append(m.overflow, e)
			m.refill()
		}
	}
	drain := func(t *rapid.T, max int) {
		want := m.drain(max)
		i := 0
		r.Drain(max, func(h *Head, payload []byte) {
			if i >= len(want) {
				t.Fatalf("record %d came, none was due", h.Object)
			}
			if h.Object != want[i].id || string(payload) != string(want[i].payload) {
				t.Fatalf("record %d with %d bytes, want %d with %d", h.Object, len(payload), want[i].id, len(want[i].payload))
			}
			i++
		})
		if i != len(want) {
			t.Fatalf("%d records came, want %d", i, len(want))
		}
	}

	t.Repeat(map[string]func(*rapid.T){
		"reserve": func(t *rapid.T) {
			class := rapid.SampledFrom([]Class{Lossless, Bulk, Lossy, LossyOf(11), Patient}).Draw(t, "class")
			n := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, r.MaxPayload())).Draw(t, "n")
			rec, ok := q.Reserve(class, n, shut)
			e, want := m.reserve(class, n)
			if ok != want {
				t.Fatalf("Reserve says %v, want %v", ok, want)
			}
			if !ok {
				return
			}
			if len(rec.Payload) != n || (rec.Token&tokenRing != 0) != m.inRing[e] {
				t.Fatalf("%d bytes with token %#x, want %d, in the ring: %v", len(rec.Payload), rec.Token, n, m.inRing[e])
			}
			for i := range rec.Payload {
				rec.Payload[i] = stain(e.id, i)
			}
			e.rec = rec
		},
		"commit": func(t *rapid.T) {
			e := pick(t)
			if e == nil {
				return
			}
			meta := 0
			if n := len(e.rec.Payload); rapid.Bool().Draw(t, "withMeta") && n >= 8 {
				meta = rapid.IntRange(0, n&^7).Draw(t, "meta")
			}
			commit(e, meta, rapid.IntRange(0, len(e.rec.Payload)-DataOffset(meta)).Draw(t, "data"))
		},
		"commitWhole": func(t *rapid.T) {
			if e := pick(t); e != nil {
				commit(e, 0, len(e.rec.Payload))
			}
		},
		"abort": func(t *rapid.T) {
			e := pick(t)
			if e == nil {
				return
			}
			q.Abort(e.rec)
			if m.inRing[e] {
				m.resize(e, 0)
			}
		},
		"drain":     func(t *rapid.T) { drain(t, rapid.IntRange(0, 9).Draw(t, "max")) },
		"drainSome": func(t *rapid.T) { drain(t, 1) },
		"doorbell": func(*rapid.T) {
			r.Peek()
			m.passFillers()
			if r.Doorbell() {
				q.Refill()
				m.refill()
			}
		},
		"": func(t *rapid.T) {
			waiting, bytes := 0, 0
			for _, e := range m.overflow {
				waiting++
				bytes += len(e.payload)
			}
			s := q.Stats()
			if s.Depth != int(m.tail-m.head) || s.Overflow != waiting || s.OverflowBytes != bytes || s.Lost != m.lost || s.Waiting != 0 {
				t.Fatalf("depth %d, overflow %d (%d bytes), waiting %d, lost %d; want %d, %d (%d), 0, %d",
					s.Depth, s.Overflow, s.OverflowBytes, s.Waiting, s.Lost[11], m.tail-m.head, waiting, bytes, m.lost[11])
			}
		},
	})

	// The consumer comes back, and does what the contract asks of it: then nothing stays behind.
	for _, e := range m.opened {
		commit(e, 0, len(e.rec.Payload))
	}
	for {
		drain(t, 0)
		if !r.Doorbell() {
			break
		}
		q.Refill()
		m.refill()
	}
	if s := q.Stats(); s.Depth != 0 || s.Overflow != 0 {
		t.Fatalf("%d bytes and %d records stayed behind", s.Depth, s.Overflow)
	}
	for i := range uint64(capacity) / blockSize {
		if r.at(i*blockSize).size != 0 {
			t.Fatalf("block %d of the empty ring reads %#x", i, r.at(i*blockSize).size)
		}
	}
}

func TestQueueDoesWhatItsModelDoes(t *testing.T) { rapid.Check(t, queueAgainstModel) }

func FuzzQueueAgainstModel(f *testing.F) { f.Fuzz(rapid.MakeFuzz(queueAgainstModel)) }
