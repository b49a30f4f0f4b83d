package engine

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"zigh3/engine/wire"
)

// What http3 gives as a map is packed in one order, so that equal requests are equal bytes.
func TestPackedRequestsOfHTTP3AreAlike(t *testing.T) {
	header := http.Header{}
	for i := range 20 {
		header.Set(fmt.Sprintf("X-Field-%c", 'a'+i), fmt.Sprint(i))
	}
	header["Cookie"] = []string{"b=2", "a=1"}
	request := func() []byte {
		return appendRequest(nil, &http.Request{Method: "GET", Host: "example.com", RequestURI: "/a?b", Header: header.Clone()})
	}
	first := request()
	for range 20 {
		if again := request(); !bytes.Equal(again, first) {
			t.Fatalf("%q\nis not\n%q", again, first)
		}
	}
	r := wire.PackedReader{Rest: first}
	var got []string
	for name, value, ok := r.Next(); ok; name, value, ok = r.Next() {
		got = append(got, string(name)+"="+string(value))
	}
	want := []string{":method=GET", ":scheme=https", ":authority=example.com", ":path=/a?b", "cookie=b=2", "cookie=a=1"}
	for i := range 20 {
		want = append(want, fmt.Sprintf("x-field-%c=%d", 'a'+i, i))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nis not\n%q", got, want)
	}
}
