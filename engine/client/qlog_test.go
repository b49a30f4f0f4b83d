package client

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// end closes the client and waits for its last event.
func (f *fixture) end() {
	f.t.Helper()
	f.client.Close(0)
	within(f.t, "the client's end", f.client.Done())
}

// records are those of a qlog file, by name, each of which has to be JSON.
func records(t *testing.T, file string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, line := range bytes.Split(text, []byte{0x1e})[1:] {
		var record struct {
			Name  string
			Trace *struct {
				VantagePoint struct{ Type string } `json:"vantage_point"`
			}
		}
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if record.Trace != nil {
			record.Name = "of a " + record.Trace.VantagePoint.Type
		}
		names[record.Name]++
	}
	return names
}

// sqlogs are the files in a folder.
func sqlogs(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_client.sqlog"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Each connection has a file, as long as there may be more, and none is longer than it may be.
func TestQlog(t *testing.T) {
	r := listenRaw(t, nil, answering(join(headers(":status", "200"), data("abc"))))
	folder := t.TempDir()
	f := newFixture(t, `{"qlog_path": `+jsonText(folder)+`, "qlog_max_connections": 2, "datagrams": {"count_lost": true}, "hosts": {"a.test": "`+r.addr+`", "b.test": "`+r.addr+`", "c.test": "`+r.addr+`"}}`)
	for _, name := range []string{"a.test", "b.test", "c.test"} {
		if a := f.get(name, "/"); a.end.Code != sink.OK {
			t.Fatalf("%v", a)
		}
	}
	f.end()
	files := sqlogs(t, folder)
	if len(files) != 2 {
		t.Fatalf("%d files: %v", len(files), files)
	}
	for _, file := range files {
		if got := records(t, file); got["of a client"] != 1 || got["transport:packet_sent"] == 0 || got["transport:packet_received"] == 0 || got["transport:connection_closed"] != 1 {
			t.Errorf("%v", got)
		}
	}

	folder = t.TempDir()
	f = newFixture(t, `{"qlog_path": `+jsonText(folder)+`, "qlog_max_bytes": 8192}`)
	for range 100 {
		f.get(r.addr, "/")
	}
	f.end()
	files = sqlogs(t, folder)
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	if info, err := os.Stat(files[0]); err != nil || info.Size() < 8192 || info.Size() > 8192+4096 {
		t.Errorf("%v bytes, %v", info.Size(), err)
	}
	if got := records(t, files[0]); got["transport:connection_closed"] != 0 {
		t.Errorf("%v", got)
	}
}

// Files that cannot be made are told of: when the client is made, or later in its log.
func TestLogsThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ options, says string }{
		{`{"insecure": true, "qlog_path": ` + jsonText(file) + `}`, "qlog_path is no folder"},
		{`{"insecure": true, "qlog_path": ` + jsonText(file+"/none") + `}`, "qlog_path is no folder"},
		{`{"insecure": true, "key_log_path": ` + jsonText(file+"/none") + `}`, "key_log_path: open"},
	} {
		o, err := config.ParseClientOptions([]byte(c.options))
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(o, 1, newBenchSink(), new(sink.ClientStats))
		if e, ok := err.(*sink.Error); !ok || e.Code != sink.ErrConfig || !strings.Contains(e.Text, c.says) {
			t.Errorf("%s: %v", c.options, err)
		}
	}
	r := listenRaw(t, nil, answering(headers(":status", "200")))
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, `{"qlog_path": `+jsonText(folder)+`}`)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if a := f.get(r.addr, "/"); a.end.Code != sink.OK {
		t.Errorf("%v", a)
	}
	if text := strings.Join(f.Logged(), "\n"); !strings.Contains(text, "qlog: open") {
		t.Errorf("%q", text)
	}
}

// The key log has a line for each secret of each connection, and is its owner's alone.
func TestKeyLog(t *testing.T) {
	r := listenRaw(t, nil, answering(headers(":status", "200")))
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# what was there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f := newFixture(t, `{"key_log_path": `+jsonText(file)+`}`)
		if a := f.get(r.addr, "/"); a.end.Code != sink.OK {
			t.Fatalf("%v", a)
		}
		f.end()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	count := map[string]int{}
	for _, line := range lines[1:] {
		label, rest, _ := strings.Cut(line, " ")
		if random, secret, _ := strings.Cut(rest, " "); len(random) != 64 || len(secret) < 64 {
			t.Errorf("%q", line)
		}
		count[label]++
	}
	for _, label := range []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} {
		if count[label] != 2 {
			t.Errorf("%d times %s", count[label], label)
		}
	}
	if lines[0] != "# what was there" {
		t.Errorf("%q", lines[0])
	}
	made := filepath.Join(t.TempDir(), "made")
	f := newFixture(t, `{"key_log_path": `+jsonText(made)+`}`)
	f.end()
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
