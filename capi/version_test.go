package main

import (
	"os"
	"regexp"
	"testing"
)

func TestTheVersionNamesTheQuicGoThatIsLinked(t *testing.T) {
	find := func(file, pattern string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(pattern).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s has nothing like %s", file, pattern)
		}
		return string(m[1])
	}
	said := find("version.c", `LIBRARY_VERSION "[0-9.]+/quic-go ([0-9.]+)"`)
	if linked := find("../go.mod", `quic-go/quic-go v([0-9.]+)`); said != linked {
		t.Fatalf("version.c says %s, go.mod %s", said, linked)
	}
}
