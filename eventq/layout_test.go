package eventq

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// defines reads the numeric #defines of capi/ring.h.
func defines(t *testing.T) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile("../capi/ring.h")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define (H3_RING_\w+) (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		v, err := strconv.ParseUint(strings.TrimSuffix(m[2], "ull"), 0, 64)
		if err != nil {
			t.Fatalf("%s is %q, which is no number", m[1], m[2])
		}
		all[m[1]] = v
	}
	return all
}

func TestLayoutIsThatOfTheCRing(t *testing.T) {
	var h header
	want := map[string]uint64{
		"H3_RING_MAGIC":        magic,
		"H3_RING_AT_CAPACITY":  uint64(unsafe.Offsetof(h.capacity)),
		"H3_RING_AT_TAIL":      uint64(unsafe.Offsetof(h.tail)),
		"H3_RING_AT_HEAD":      uint64(unsafe.Offsetof(h.head)),
		"H3_RING_AT_ARMED":     uint64(unsafe.Offsetof(h.armed)),
		"H3_RING_AT_WAKE_FD":   uint64(unsafe.Offsetof(h.wakeFD)),
		"H3_RING_AT_HUNGRY":    uint64(unsafe.Offsetof(h.hungry)),
		"H3_RING_AT_DATA":      dataOffset,
		"H3_RING_BLOCK":        blockSize,
		"H3_RING_HEAD":         headSize,
		"H3_RING_CLOSED":       closedBit,
		"H3_RING_MAX_PAYLOAD":  MaxPayload,
		"H3_RING_MIN_CAPACITY": minCapacity,
		"H3_RING_MAX_CAPACITY": maxCapacity,
	}
	got := defines(t)
	if private := got["H3_RING_AT_PRIVATE"]; private < uint64(unsafe.Sizeof(h)) {
		t.Errorf("C's private part begins at %d, inside the %d bytes of the shared header", private, unsafe.Sizeof(h))
	}
	delete(got, "H3_RING_AT_PRIVATE")
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %#x in C, %#x in Go", name, got[name], v)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is defined in C, and Go knows nothing of it", name)
	}
}

func TestHeadIsZigH3Record(t *testing.T) {
	text, err := os.ReadFile("../include/zig_h3.h")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(text), "typedef struct zig_h3_record {")
	body, _, ok := strings.Cut(body, "} zig_h3_record;")
	if !ok {
		t.Fatal("include/zig_h3.h has no struct zig_h3_record")
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s+(u?int\d+)_t (\w+);\s+/\*\s+(\d+)`).FindAllStringSubmatch(body, -1) {
		got[m[2]] = m[1] + "@" + m[3]
	}
	var h Head
	at := func(typ string, offset uintptr) string { return typ + "@" + strconv.Itoa(int(offset)) }
	want := map[string]string{
		"size":      at("uint32", unsafe.Offsetof(h.size)),
		"type":      at("uint16", unsafe.Offsetof(h.Type)),
		"flags":     at("uint16", unsafe.Offsetof(h.Flags)),
		"object":    at("uint64", unsafe.Offsetof(h.Object)),
		"parent":    at("uint64", unsafe.Offsetof(h.Parent)),
		"conn":      at("uint64", unsafe.Offsetof(h.Conn)),
		"user_data": at("uint64", unsafe.Offsetof(h.UserData)),
		"code":      at("int32", unsafe.Offsetof(h.Code)),
		"status":    at("uint32", unsafe.Offsetof(h.Status)),
		"meta_len":  at("uint32", unsafe.Offsetof(h.MetaLen)),
		"data_len":  at("uint32", unsafe.Offsetof(h.DataLen)),
		"aux":       at("uint64", unsafe.Offsetof(h.Aux)),
	}
	if len(got) != len(want) {
		t.Errorf("the C struct has %d members, Head %d", len(got), len(want))
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %q in C, %q in Go", name, got[name], v)
		}
	}
	if size := unsafe.Sizeof(h); size != headSize {
		t.Errorf("Head has %d bytes", size)
	}
}

func TestHotWordsAreFarApart(t *testing.T) {
	var q Queue
	var r Ring
	for name, gap := range map[string]uintptr{
		"gate and seen":           unsafe.Offsetof(q.seen) - unsafe.Offsetof(q.gate),
		"mark and mu":             unsafe.Offsetof(q.mu) - unsafe.Offsetof(q.mark),
		"Ring.memory and read":    unsafe.Offsetof(r.read) - unsafe.Offsetof(r.memory),
		"read and what lies next": unsafe.Sizeof(r) - unsafe.Offsetof(r.rung),
	} {
		if gap < 64+8 {
			t.Errorf("%s: only %d bytes apart", name, gap)
		}
	}
}

func TestOpenRefusesWhatIsNoRing(t *testing.T) {
	if _, err := Open(nil); err == nil {
		t.Error("nil was opened")
	}
	mem := alloc(8192)
	if _, err := Open(mem); err == nil {
		t.Error("zeroes were opened")
	}
	Format(mem, 4096, -1)
	if _, err := Open(unsafe.Add(mem, 64)); err == nil {
		t.Error("the middle of a ring was opened")
	}
	askew := unsafe.Add(alloc(3*4096), 64)
	Format(askew, 4096, -1)
	if _, err := Open(askew); err == nil {
		t.Error("a ring whose words share cache lines was opened")
	}
	r, err := Open(mem)
	if err != nil || r.Capacity() != 4096 || r.MaxPayload() != 2048-64 {
		t.Errorf("Open: %v, capacity %d, largest payload %d", err, r.Capacity(), r.MaxPayload())
	}
	for _, capacity := range []uint64{0, 2048, 5000, 1 << 31} {
		(*header)(mem).capacity = capacity
		if _, err := Open(mem); err == nil {
			t.Errorf("a capacity of %d was accepted", capacity)
		}
	}
}

func TestLargestPayloadFitsTheSmallestProductionRing(t *testing.T) {
	m := memory{capacity: 512 << 10}
	if m.MaxPayload() != MaxPayload {
		t.Errorf("MaxPayload = %d", m.MaxPayload())
	}
}
