package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// capsule makes one with this payload.
func capsule(typ uint64, payload ...any) []byte { return AppendCapsule(nil, typ, join(payload...)) }

func (c Capsule) String() string {
	switch c.Type {
	case CapsuleClose:
		return fmt.Sprintf("close %d %q", c.Code, c.Reason)
	case CapsuleDrain:
		return "drain"
	}
	return fmt.Sprintf("%x %d", c.Type, c.Value)
}

// feed gives p to a reader in pieces of the sizes in cuts (0 for 1, then in one) and says what capsules it found.
func feed(r *CapsuleReader, p, cuts []byte) (found []string, err error) {
	for len(p) > 0 && err == nil {
		piece := p
		if len(cuts) > 0 {
			piece, cuts = p[:min(len(p), int(cuts[0])+1)], cuts[1:]
		}
		p = p[len(piece):]
		piece = bytes.Clone(piece)
		err = r.Feed(piece, func(c Capsule) error {
			found = append(found, c.String())
			return nil
		})
		clear(piece) // what was fed is not kept
	}
	return found, err
}

func TestCapsules(t *testing.T) {
	long := strings.Repeat("r", MaxCloseReason)
	for _, c := range []struct {
		name string
		p    []byte
		want string
		code http3.ErrCode
	}{
		{"close", capsule(CapsuleClose, "\x00\x00\x00\x07bye"), `[close 7 "bye"]`, 0},
		{"close without a reason", capsule(CapsuleClose, "\xff\xff\xff\xff"), `[close 4294967295 ""]`, 0},
		{"close with the longest", capsule(CapsuleClose, "\x00\x00\x00\x07", long), fmt.Sprintf("[close 7 %q]", long), 0},
		{"close with one that is longer", capsule(CapsuleClose, "\x00\x00\x00\x07", long, "r"), `[]`, http3.ErrCodeMessageError},
		{"close with a code of three bytes", capsule(CapsuleClose, "\x00\x00\x07"), `[]`, http3.ErrCodeMessageError},
		{"close with nothing", capsule(CapsuleClose), `[]`, http3.ErrCodeMessageError},
		{"close with half a character", capsule(CapsuleClose, "\x00\x00\x00\x07b\xc3"), `[]`, http3.ErrCodeMessageError},
		{"close with a surrogate", capsule(CapsuleClose, "\x00\x00\x00\x07\xed\xa0\x80"), `[]`, http3.ErrCodeMessageError},
		{"close and close", join(capsule(CapsuleClose, "\x00\x00\x00\x07"), capsule(CapsuleClose, "\x00\x00\x00\x08")), `[close 7 ""]`, http3.ErrCodeMessageError},
		{"close and a byte", join(capsule(CapsuleClose, "\x00\x00\x00\x07"), "x"), `[close 7 ""]`, http3.ErrCodeMessageError},
		{"drain", capsule(CapsuleDrain), `[drain]`, 0},
		{"drain and close", join(capsule(CapsuleDrain), capsule(CapsuleClose, "\x00\x00\x00\x00")), `[drain close 0 ""]`, 0},
		{"drain twice", join(capsule(CapsuleDrain), capsule(CapsuleDrain)), `[drain drain]`, 0},
		{"drain with a byte", capsule(CapsuleDrain, "x"), `[]`, http3.ErrCodeMessageError},

		{"data", capsule(CapsuleMaxData, 1<<20), `[190b4d3d 1048576]`, 0},
		{"the most data", capsule(CapsuleMaxData, uint64(quicvarint.Max)), `[190b4d3d 4611686018427387903]`, 0},
		{"streams", join(capsule(CapsuleMaxStreamsBidi, 7), capsule(CapsuleMaxStreamsUni, 8)), `[190b4d3f 7 190b4d40 8]`, 0},
		{"the most streams", capsule(CapsuleMaxStreamsBidi, uint64(1<<60)), `[190b4d3f 1152921504606846976]`, 0},
		{"too many streams", capsule(CapsuleMaxStreamsBidi, uint64(1<<60+1)), `[]`, ErrCodeFlowControl},
		{"too many unidirectional ones", capsule(CapsuleMaxStreamsUni, uint64(1<<60+1)), `[]`, ErrCodeFlowControl},
		{"blocked", join(capsule(CapsuleDataBlocked, uint64(1<<61)), capsule(CapsuleStreamsBlockedBidi, 1), capsule(CapsuleStreamsBlockedUni, 2)),
			`[190b4d41 2305843009213693952 190b4d43 1 190b4d44 2]`, 0},
		{"blocked at too many streams", capsule(CapsuleStreamsBlockedBidi, uint64(1<<60+1)), `[]`, ErrCodeFlowControl},
		{"blocked at too many unidirectional ones", capsule(CapsuleStreamsBlockedUni, uint64(1<<60+1)), `[]`, ErrCodeFlowControl},
		{"an integer longer than need be", capsule(CapsuleMaxData, "\xc0\x00\x00\x00\x00\x00\x00\x05"), `[190b4d3d 5]`, 0},
		{"no integer", capsule(CapsuleMaxData), `[]`, http3.ErrCodeMessageError},
		{"half an integer", capsule(CapsuleMaxData, "\x80\x00"), `[]`, http3.ErrCodeMessageError},
		{"an integer and a byte", capsule(CapsuleMaxStreamsUni, 5, "x"), `[]`, http3.ErrCodeMessageError},
		{"the longest integer and a byte", capsule(CapsuleDataBlocked, "\xc0\x00\x00\x00\x00\x00\x00\x05x"), `[]`, http3.ErrCodeMessageError},

		{"forbidden", join(capsule(CapsuleDrain), capsule(0x190b4d3e, 4, 5)), `[drain]`, http3.ErrCodeMessageError},
		{"forbidden, too", capsule(0x190b4d42, 4, 5), `[]`, http3.ErrCodeMessageError},
		{"unknown", join(capsule(0x0, "datagram"), capsule(0x29, strings.Repeat("x", 100_000)), capsule(0x190b4d45, 1), capsule(0x17), capsule(CapsuleDrain)), `[drain]`, 0},
		{"a head longer than need be", []byte{0x80, 0, 0x28, 0x43, 0xc0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7, 'x'}, `[close 7 "x"]`, 0},
	} {
		for size := range 256 {
			r := dialects[0].Capsules(true)
			found, err := feed(&r, c.p, bytes.Repeat([]byte{byte(size)}, len(c.p)))
			if fmt.Sprint(found) != c.want || codeOf(t, err) != c.code {
				t.Fatalf("%s, in pieces of %d: %v, %v", c.name, size+1, found, err)
			}
			if err == nil && (!r.AtBoundary() || r.End() != nil) {
				t.Fatalf("%s: it does not end here", c.name)
			}
			if again := r.Feed([]byte("x"), nil); err != nil && again != err {
				t.Fatalf("%s: %v, and then %v", c.name, err, again)
			}
		}
	}
}

func TestWhichCapsulesCount(t *testing.T) {
	flow := join(capsule(CapsuleMaxData, 1), capsule(CapsuleMaxStreamsUni, uint64(1<<61)), capsule(CapsuleDataBlocked, "nonsense, and long"), capsule(CapsuleMaxData), capsule(CapsuleDrain))
	http2 := join(capsule(0x190b4d42, 4, 5), capsule(CapsuleDrain))
	for _, c := range []struct {
		name string
		r    CapsuleReader
		p    []byte
		want string
		code http3.ErrCode
	}{
		{"flow control that is off is not looked at", dialects[0].Capsules(false), flow, `[drain]`, 0},
		{"nor in -02", dialects[3].Capsules(false), flow, `[drain]`, 0},
		{"nor by a reader that knows nothing", CapsuleReader{}, flow, `[drain]`, 0},
		{"on", dialects[0].Capsules(true), flow, `[190b4d3d 1]`, ErrCodeFlowControl},
		{"HTTP/2's are forbidden", dialects[0].Capsules(false), http2, `[]`, http3.ErrCodeMessageError},
		{"HTTP/2's are forbidden in -13", dialects[1].Capsules(false), http2, `[]`, http3.ErrCodeMessageError},
		{"HTTP/2's are forbidden in -12", dialects[2].Capsules(false), http2, `[]`, http3.ErrCodeMessageError},
		{"HTTP/2's are unknown to -02", dialects[3].Capsules(false), http2, `[drain]`, 0},
		{"HTTP/2's are forbidden to whoever has flow control", dialects[3].Capsules(true), http2, `[]`, http3.ErrCodeMessageError},
	} {
		found, err := feed(&c.r, c.p, nil)
		if fmt.Sprint(found) != c.want || codeOf(t, err) != c.code {
			t.Errorf("%s: %v, %v", c.name, found, err)
		}
	}
}

func TestAnEndInsideACapsule(t *testing.T) {
	p := join(capsule(CapsuleMaxData, 1<<20), capsule(0x29, "unknown"), capsule(CapsuleClose, "\x00\x00\x00\x07bye"))
	ends := map[int]bool{0: true, 9: true, 9 + 9: true, len(p): true}
	for n := range len(p) + 1 {
		r := dialects[0].Capsules(true)
		if _, err := feed(&r, p[:n], nil); err != nil {
			t.Fatal(n, err)
		}
		if r.AtBoundary() != ends[n] {
			t.Errorf("%d bytes: a boundary is %v", n, r.AtBoundary())
		}
		if err := r.End(); ends[n] != (err == nil) || err != nil && codeOf(t, err) != http3.ErrCodeMessageError {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestWhatAReaderIsToldStopsIt(t *testing.T) {
	mine := errors.New("mine")
	r := dialects[0].Capsules(true)
	calls := 0
	p := join(capsule(CapsuleDrain), capsule(CapsuleDrain))
	for range 2 {
		if err := r.Feed(p, func(Capsule) error { calls++; return mine }); err != mine || calls != 1 {
			t.Errorf("%v, %d calls", err, calls)
		}
	}
	if err := r.End(); err != mine {
		t.Error(err)
	}
}

func TestAReaderKeepsNoMoreThanAClose(t *testing.T) {
	r := dialects[0].Capsules(true)
	// What cannot become right is refused before any of it is kept, and what is unknown is never kept.
	for name, head := range map[string][]byte{
		"close":   join(CapsuleClose, 1<<40),
		"drain":   join(CapsuleDrain, 1<<40),
		"data":    join(CapsuleMaxData, 1<<40),
		"streams": join(CapsuleMaxStreamsBidi, 9),
	} {
		r := r
		if err := r.Feed(head, nil); codeOf(t, err) != http3.ErrCodeMessageError {
			t.Errorf("%s: %v", name, err)
		}
	}
	done := r
	if _, err := feed(&done, capsule(CapsuleClose, "\x00\x00\x00\x07bye"), []byte{7}); err != nil || done.reason != nil {
		t.Errorf("behind CLOSE: %q, %v", done.reason, err)
	}
	piece := make([]byte, 1<<10)
	if err := r.Feed(join(0x29, uint64(quicvarint.Max)), nil); err != nil {
		t.Fatal(err)
	}
	noAllocations(t, "unknown", func() {
		if err := r.Feed(piece, nil); err != nil || r.AtBoundary() {
			t.Fatal(err)
		}
	})
}

func TestCapsulesCostNothing(t *testing.T) {
	whole := join(capsule(CapsuleMaxData, 1<<20), capsule(CapsuleMaxStreamsBidi, 7), capsule(CapsuleDrain), capsule(0x29, "unknown"))
	r := dialects[0].Capsules(true)
	n := 0
	count := func(Capsule) error { n++; return nil }
	noAllocations(t, "in one piece", func() { r.Feed(whole, count) })
	noAllocations(t, "byte by byte", func() {
		for i := range whole {
			r.Feed(whole[i:i+1], count)
		}
	})
	if n != 101*3*2 || !r.AtBoundary() {
		t.Errorf("%d capsules", n)
	}
	bye := capsule(CapsuleClose, "\x00\x00\x00\x07bye")
	noAllocations(t, "close", func() {
		r := dialects[0].Capsules(true)
		r.Feed(bye, count)
	})
	buf := make([]byte, 0, 2000)
	noAllocations(t, "writing", func() {
		AppendClose(AppendCapsuleVarint(AppendCapsule(buf, CapsuleDrain, nil), CapsuleMaxData, 1<<40), 7, "bye")
	})
}

func TestCapsulesAreWritten(t *testing.T) {
	euro := "€"
	for _, c := range []struct{ name, reason, want string }{
		{"none", "", ""},
		{"short", "bye €", "bye €"},
		{"as long as can be", strings.Repeat("r", 1024), strings.Repeat("r", 1024)},
		{"longer", strings.Repeat("r", 1025), strings.Repeat("r", 1024)},
		{"cut before a character", strings.Repeat("r", 1022) + euro + "x", strings.Repeat("r", 1022)},
		{"cut behind a character", strings.Repeat("r", 1021) + euro + "x", strings.Repeat("r", 1021) + euro},
		{"much longer", strings.Repeat(euro, 1<<20), strings.Repeat(euro, 341)},
		{"no UTF-8", "a\xffb\xc3", "a\uFFFDb\uFFFD"},
		{"no UTF-8 behind what is cut", strings.Repeat("r", 1024) + "\xff", strings.Repeat("r", 1024)},
	} {
		p := AppendClose([]byte("x"), 0x01020304, c.reason)
		if want := join("x", 0x2843, 4+len(c.want), "\x01\x02\x03\x04", c.want); !bytes.Equal(p, want) {
			t.Errorf("%s: %q", c.name, p)
		}
		r := dialects[0].Capsules(true)
		found, err := feed(&r, p[1:], nil)
		if fmt.Sprint(found) != fmt.Sprintf("[close 16909060 %q]", c.want) || err != nil {
			t.Errorf("%s: %v, %v", c.name, found, err)
		}
	}
	if p := AppendCapsuleVarint([]byte("x"), CapsuleMaxData, 1<<63); !bytes.Equal(p, join("x", 0x190b4d3d, 8, uint64(quicvarint.Max))) {
		t.Errorf("%x", p)
	}
	if p := AppendCapsuleVarint(nil, CapsuleMaxStreamsUni, 63); !bytes.Equal(p, join(0x190b4d40, 1, 63)) {
		t.Errorf("%x", p)
	}
	if p := AppendCapsule([]byte("x"), CapsuleDrain, nil); !bytes.Equal(p, join("x", 0x78ae, 0)) {
		t.Errorf("%x", p)
	}
}

// modelCapsules is what a plain parser finds that has all of the stream: capsules, what is wrong, and whether it may end.
func modelCapsules(p []byte, flow, noHTTP2 bool) (found []string, code http3.ErrCode, ends bool) {
	closed := false
	for len(p) > 0 {
		if closed {
			return found, http3.ErrCodeMessageError, false
		}
		typ, n, err := quicvarint.Parse(p)
		if err != nil {
			return found, 0, false
		}
		length, m, err := quicvarint.Parse(p[n:])
		if err != nil {
			return found, 0, false
		}
		p = p[n+m:]
		payload, cut := p, true
		if length <= uint64(len(p)) {
			payload, p, cut = p[:length], p[length:], false
		}
		switch {
		case noHTTP2 && (typ == 0x190b4d3e || typ == 0x190b4d42),
			typ == 0x78ae && length > 0,
			typ == 0x2843 && (length < 4 || length > 1028),
			typ == 0x2843 && !cut && !utf8.Valid(payload[4:]):
			return found, http3.ErrCodeMessageError, false
		case typ == 0x78ae:
			found = append(found, "drain")
		case typ == 0x2843 && !cut:
			closed = true
			found = append(found, fmt.Sprintf("close %d %q", uint32(payload[0])<<24|uint32(payload[1])<<16|uint32(payload[2])<<8|uint32(payload[3]), payload[4:]))
		case flow && typ >= 0x190b4d3d && typ <= 0x190b4d44 && typ != 0x190b4d3e && typ != 0x190b4d42:
			if length == 0 || length > 8 {
				return found, http3.ErrCodeMessageError, false
			}
			if cut {
				break
			}
			value, k, err := quicvarint.Parse(payload)
			if err != nil || k != len(payload) {
				return found, http3.ErrCodeMessageError, false
			}
			if value > 1<<60 && typ != 0x190b4d3d && typ != 0x190b4d41 {
				return found, 0x045d4487, false
			}
			found = append(found, fmt.Sprintf("%x %d", typ, value))
		}
		if cut {
			return found, 0, false
		}
	}
	return found, 0, true
}

// FuzzCapsules: capsules are the same however their bytes arrive, and are those that a plain parser finds.
func FuzzCapsules(f *testing.F) {
	f.Add(join(capsule(CapsuleMaxData, 1<<20), capsule(0x29, "unknown"), capsule(CapsuleDrain), capsule(CapsuleClose, "\x00\x00\x00\x07bye")), []byte{0, 3, 0}, uint8(0), true)
	f.Add(join(capsule(CapsuleMaxStreamsBidi, uint64(1<<60+1)), capsule(0x190b4d3e, 1, 2)), []byte{5}, uint8(1), true)
	f.Add(join(capsule(CapsuleClose, "\x00\x00\x00\x07\xc3"), "x"), []byte{1, 1, 1}, uint8(3), false)
	f.Add(join(CapsuleClose, 1029), []byte{}, uint8(2), false)
	f.Fuzz(func(t *testing.T, p, cuts []byte, dialect uint8, flow bool) {
		d := &dialects[int(dialect)%len(dialects)]
		r := d.Capsules(flow)
		found, err := feed(&r, p, cuts)
		want, code, ends := modelCapsules(p, flow, d.noHTTP2 || flow)
		if fmt.Sprint(found) != fmt.Sprint(want) || codeOf(t, err) != code || err == nil && r.AtBoundary() != ends {
			t.Fatalf("%x in pieces %x: %v, %v, boundary %v; want %v, %v, %v", p, cuts, found, err, r.AtBoundary(), want, code, ends)
		}
		if cap(r.reason) > 2*(closeCodeLen+MaxCloseReason) {
			t.Fatalf("%d bytes are kept", cap(r.reason))
		}
	})
}

// FuzzClose: whatever the reason, a reader takes the capsule, and its reason is the beginning of ours.
func FuzzClose(f *testing.F) {
	f.Add(uint32(7), "bye")
	f.Add(uint32(0), strings.Repeat("€", 400))
	f.Add(uint32(1), "a\xff"+strings.Repeat("r", 1021)+"\xc3")
	f.Fuzz(func(t *testing.T, code uint32, reason string) {
		r := CapsuleReader{}
		var got Capsule
		err := r.Feed(AppendClose(nil, code, reason), func(c Capsule) error { got = c; return nil })
		valid := strings.ToValidUTF8(reason, "\uFFFD")
		if err != nil || got.Code != code || !strings.HasPrefix(valid, string(got.Reason)) || len(got.Reason) < min(len(valid), MaxCloseReason-utf8.UTFMax+1) {
			t.Fatalf("%d %q: %v, %v", code, reason, got, err)
		}
	})
}
