package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

func TestSettingsAreRead(t *testing.T) {
	s, err := ParseSettings(join(0x6, 1<<16, 0x1, 4096, 0x8, 1, 0x33, 1, 0xffd277, 1, 0x2b603742, 1, 0x14e9cd29, 7, 0x2b61, 0, 0x40, 9))
	if err != nil {
		t.Fatal(err)
	}
	if s.MaxFieldSectionSize() != 1<<16 || !s.ConnectProtocol() || !s.Datagram() || s.Value(SettingWTMaxSessions) != 7 {
		t.Errorf("%+v", s)
	}
	for id, seen := range map[uint64]bool{0x6: true, 0x8: true, 0x33: true, 0xffd277: true, 0x2b603742: true, 0x14e9cd29: true, 0x2b61: true,
		0x2b64: false, 0x2b65: false, 0x2c7cf000: false, 0xc671706a: false, 0x40: false} {
		if s.Seen(id) != seen {
			t.Errorf("%#x: seen is %v", id, !seen)
		}
	}
	var none Settings
	if none.MaxFieldSectionSize() != quicvarint.Max || none.ConnectProtocol() || none.Datagram() || none.Value(SettingWTMaxSessions) != 0 {
		t.Errorf("of an empty frame: %+v", none)
	}
	zero, err := ParseSettings(join(0x6, 0, 0x8, 0, 0x33, 0))
	if err != nil || zero.MaxFieldSectionSize() != 0 || zero.ConnectProtocol() || zero.Datagram() || !zero.Seen(0x33) {
		t.Errorf("%+v, %v", zero, err)
	}
}

func TestN08_BadSettings(t *testing.T) {
	many := []byte{}
	for id := range 100 {
		many = append(many, join(0x1000+id, id)...)
	}
	for name, c := range map[string]struct {
		payload []byte
		code    http3.ErrCode
	}{
		"empty":                          {nil, 0},
		"an id and no more":              {join(0x6), http3.ErrCodeFrameError},
		"half an id":                     {[]byte{0x40}, http3.ErrCodeFrameError},
		"half a value":                   {join(0x6, "\x80\x00"), http3.ErrCodeFrameError},
		"a named one twice":              {join(0x6, 1, 0x6, 1), http3.ErrCodeSettingsError},
		"one with value 0 twice":         {join(0x33, 0, 0x33, 1), http3.ErrCodeSettingsError},
		"another one twice":              {join(0x40, 1, 0x41, 1, 0x40, 1), http3.ErrCodeSettingsError},
		"the first of many twice":        {join(many, 0x1000, 0), http3.ErrCodeSettingsError},
		"the last of many twice":         {join(many, 0x1000+99, 0), http3.ErrCodeSettingsError},
		"many":                           {many, 0},
		"reserved 0":                     {join(0x0, 0), http3.ErrCodeSettingsError},
		"QPACK's table":                  {join(0x1, 1<<20, 0x7, 100), 0},
		"reserved 2":                     {join(0x2, 0), http3.ErrCodeSettingsError},
		"reserved 3":                     {join(0x3, 0), http3.ErrCodeSettingsError},
		"reserved 4":                     {join(0x4, 0), http3.ErrCodeSettingsError},
		"reserved 5":                     {join(0x5, 0), http3.ErrCodeSettingsError},
		"extended CONNECT 2":             {join(0x8, 2), http3.ErrCodeSettingsError},
		"datagrams 2":                    {join(0x33, 2), http3.ErrCodeSettingsError},
		"WebTransport 2":                 {join(0x2b603742, 2), http3.ErrCodeSettingsError},
		"datagrams 2, of the draft":      {join(0xffd277, 2), 0},
		"sessions 2":                     {join(0xc671706a, 2, 0x14e9cd29, 2), 0},
		"WT_ENABLED 2, for DialectOf":    {join(0x2c7cf000, 2), 0},
		"an id that takes more than 1":   {[]byte{0x40, 0x33, 1, 0x33, 1}, http3.ErrCodeSettingsError},
		"the largest id, largest value":  {join(uint64(quicvarint.Max), uint64(quicvarint.Max)), 0},
		"a named one, the largest value": {join(0x6, uint64(quicvarint.Max)), 0},
	} {
		s, err := ParseSettings(c.payload)
		if code := codeOf(t, err); code != c.code {
			t.Errorf("%s: %v, want %v", name, err, c.code)
		}
		if err != nil && s != (Settings{}) {
			t.Errorf("%s: settings beside the error", name)
		}
	}
	_, err := ParseSettings(join(0x33, 1, 0x33, 1))
	if err.Error() != "SETTINGS_H3_DATAGRAM (0x33) given twice" {
		t.Error(err)
	}
	if name := SettingName(0x99); name != "setting 0x99" {
		t.Error(name)
	}
}

func TestSettingsAreWritten(t *testing.T) {
	list := []Setting{{0x6, 100}, {0x33, 1}, {0x2b61, 1 << 63}}
	got := AppendSettings([]byte("x"), list)
	if want := join("x", 0x6, 100, 0x33, 1, 0x2b61, uint64(quicvarint.Max)); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	s := NewSettings([]Setting{{0x33, 1}, {0x40, 1}, {0x2b64, 3}})
	if want, err := ParseSettings(join(0x33, 1, 0x40, 1, 0x2b64, 3)); err != nil || s != want {
		t.Errorf("%+v, want %+v, %v", s, want, err)
	}
}

func TestSettingsCostNothing(t *testing.T) {
	payload := join(0x1, 1<<16, 0x6, 1<<18, 0x7, 100, 0x33, 1, 0x2b603742, 1, 0x2a2a2a2a, 7)
	noAllocations(t, "ParseSettings", func() {
		if _, err := ParseSettings(payload); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzSettings: the settings are those that a plain reading finds, and what it finds wrong is refused.
func FuzzSettings(f *testing.F) {
	f.Add(join(0x6, 1<<16, 0x1, 4096, 0x8, 1, 0x33, 1, 0xffd277, 1, 0x2b603742, 1, 0x14e9cd29, 7))
	f.Add(join(0x33, 1, 0x33, 1))
	f.Add(join(0x40, 1, 0x41, 1, 0x42, 1, 0x43, 1, 0x44, 1, 0x45, 1, 0x46, 1, 0x47, 1, 0x48, 1, 0x49, 1, 0x49, 1))
	f.Add([]byte{0x40, 0x33, 1, 0xc0})
	f.Fuzz(func(t *testing.T, p []byte) {
		values := map[uint64]uint64{}
		var want http3.ErrCode
		for rest := p; len(rest) > 0 && want == 0; {
			id, n, err := quicvarint.Parse(rest)
			if err != nil {
				want = http3.ErrCodeFrameError
				break
			}
			value, m, err := quicvarint.Parse(rest[n:])
			if err != nil {
				want = http3.ErrCodeFrameError
				break
			}
			rest = rest[n+m:]
			_, had := values[id]
			if had || slices.Contains([]uint64{0, 2, 3, 4, 5}, id) || value > 1 && slices.Contains([]uint64{0x8, 0x33, 0x2b603742}, id) {
				want = http3.ErrCodeSettingsError
			}
			values[id] = value
		}
		s, err := ParseSettings(p)
		if code := codeOf(t, err); code != want {
			t.Fatalf("%x: %v, want %v", p, err, want)
		}
		if err != nil {
			return
		}
		for _, one := range namedSettings {
			if value, had := values[one.id]; s.Seen(one.id) != had || s.Value(one.id) != value {
				t.Fatalf("%x: %s is %d", p, one.name, s.Value(one.id))
			}
		}
	})
}
