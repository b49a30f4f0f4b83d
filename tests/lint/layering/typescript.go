package main

import (
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// bunSource is where the Bun package's files stand, in rooms.
const bunSource = "bindings/bun/src"

// bunRooms are the folders in it, and those from which the files of each may import beside their own. Types count as values do.
// docs/architecture.md has the same table for readers.
var bunRooms = map[string][]string{
	".":                      {"server", "server/api", "client", "client/fetch", "client/session", "webtransport", "webtransport/datagrams", "webtransport/streams", "http", "queue", "native", "common"},
	"server":                 {"server/options", "server/requests", "server/routes", "server/api", "queue", "native", "common"},
	"server/options":         {"server/routes", "server/api", "common"},
	"server/requests":        {"server/routes", "server/api", "webtransport", "http", "queue", "native", "common"},
	"server/routes":          {"server/api", "http", "common"},
	"server/api":             {"webtransport", "queue", "native", "common"},
	"client/fetch":           {"client", "http", "queue", "native", "common"},
	"client/session":         {"client", "webtransport", "webtransport/datagrams", "webtransport/streams", "native", "common"},
	"client":                 {"webtransport", "queue", "native", "common"},
	"webtransport":           {"webtransport/datagrams", "webtransport/streams", "queue", "native", "common"},
	"webtransport/datagrams": {"webtransport/streams", "native", "common"},
	"webtransport/streams":   {"queue", "native", "common"},
	"http":                   {"native", "common"},
	"queue":                  {"native", "common"},
	"native":                 {},
	"common":                 {},
}

// scriptImport finds what a file imports or exports again, types too, and what it imports while it runs.
var scriptImport = regexp.MustCompile(`(?m)^[ \t]*(?:import|export)\b[^;'"=(]*["']([^"'\n]+)["']|\b(?:import|require)\([ \t]*["']([^"'\n]+)["']`)

// A scriptRef is one import of a file: the text, and for a relative one the path that it leads to.
type scriptRef struct {
	name, path string
	pos        token.Position
}

// refs gives what a TypeScript file imports.
func (f *source) refs() (found []scriptRef) {
	for _, at := range scriptImport.FindAllSubmatchIndex(f.text, -1) {
		from, to := at[2], at[3]
		if from < 0 {
			from, to = at[4], at[5]
		}
		ref := scriptRef{name: string(f.text[from:to]), pos: token.Position{Filename: f.path, Line: 1 + strings.Count(string(f.text[:from]), "\n")}}
		if strings.HasPrefix(ref.name, ".") {
			ref.path = path.Join(path.Dir(f.path), ref.name)
		}
		found = append(found, ref)
	}
	return found
}

// bunRoom is the room of a file by its path.
func bunRoom(file string) string {
	room, err := filepath.Rel(bunSource, path.Dir(file))
	if err != nil {
		return file // no room is called that
	}
	return room
}

// againstTable finds imports that bunRooms does not allow, and files in no known room.
func againstTable(f *source) (found []breach) {
	room := bunRoom(f.path)
	allowed, known := bunRooms[room]
	if !known {
		return []breach{{token.Position{Filename: f.path}, "a room that the lint does not know"}}
	}
	for _, ref := range f.refs() {
		if other := bunRoom(ref.path); ref.path != "" && other != room && !slices.Contains(allowed, other) {
			found = append(found, breach{ref.pos, room + " imports " + ref.name})
		}
	}
	return found
}

// foreignFFI finds who imports bun:ffi beside native.
func foreignFFI(f *source) (found []breach) {
	for _, ref := range f.refs() {
		if ref.name == "bun:ffi" && bunRoom(f.path) != "native" {
			found = append(found, breach{ref.pos, "imports " + ref.name})
		}
	}
	return found
}

// indexImported finds who imports index.ts.
func indexImported(f *source) (found []breach) {
	for _, ref := range f.refs() {
		if ref.path == bunSource+"/index.ts" {
			found = append(found, breach{ref.pos, "imports " + ref.name})
		}
	}
	return found
}

var exportedAgain = regexp.MustCompile(`^export\s+(?:type\s+)?\{[^{}]*\}\s+from\s+"[^"]+"$`)

// moreThanExports finds in index.ts what is no `export { … } from "…"`.
func moreThanExports(f *source) (found []breach) {
	if f.path != bunSource+"/index.ts" {
		return nil
	}
	for _, statement := range strings.Split(cComment.ReplaceAllString(string(f.text), ""), ";") {
		if statement = strings.TrimSpace(statement); statement != "" && !exportedAgain.MatchString(statement) {
			first, _, _ := strings.Cut(statement, "\n")
			found = append(found, breach{token.Position{Filename: f.path}, first})
		}
	}
	return found
}

// inBunMap finds the files that index.ts has in its map.
var inBunMap = regexp.MustCompile(`(?m)^ \*     (\S+\.ts) +\S`)

// unmappedScript finds a file that the map in index.ts does not name, and in that map what names no file.
func unmappedScript(f *source) (found []breach) {
	const index = bunSource + "/index.ts"
	text, err := os.ReadFile(index)
	if err != nil {
		return []breach{{token.Position{Filename: f.path}, err.Error()}}
	}
	named := false
	for _, line := range inBunMap.FindAllSubmatch(text, -1) {
		file := path.Join(bunSource, string(line[1]))
		named = named || file == f.path
		if _, err := os.Stat(file); f.path == index && err != nil {
			found = append(found, breach{token.Position{Filename: f.path}, "names " + string(line[1]) + ", which is not there"})
		}
	}
	if !named && f.path != index {
		found = append(found, breach{token.Position{Filename: f.path}, "index.ts does not name it"})
	}
	return found
}

// inCircle finds files that import themselves by way of others.
func inCircle(f *source) []breach {
	circles, err := bunCircles()
	if err != nil {
		return []breach{{token.Position{Filename: f.path}, err.Error()}}
	}
	for _, circle := range circles {
		if slices.Contains(circle, f.path) {
			return []breach{{token.Position{Filename: f.path}, strings.Join(circle, ", ")}}
		}
	}
	return nil
}

// bunCircles are the strongly connected components of more than one file (Tarjan), and files that import themselves.
var bunCircles = sync.OnceValues(func() (circles [][]string, err error) {
	imports := make(map[string][]string)
	err = filepath.WalkDir(bunSource, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".ts") {
			return err
		}
		text, err := os.ReadFile(file)
		for _, ref := range (&source{path: file, text: text}).refs() {
			if ref.path != "" {
				imports[file] = append(imports[file], ref.path)
			}
		}
		return err
	})
	index, low := make(map[string]int), make(map[string]int)
	var stack []string
	var visit func(file string)
	visit = func(file string) {
		index[file] = len(index) + 1
		low[file] = index[file]
		stack = append(stack, file)
		for _, other := range imports[file] {
			if index[other] == 0 {
				visit(other)
				low[file] = min(low[file], low[other])
			} else if slices.Contains(stack, other) {
				low[file] = min(low[file], index[other])
			}
		}
		if low[file] < index[file] {
			return
		}
		at := slices.Index(stack, file)
		if circle := slices.Clone(stack[at:]); len(circle) > 1 || slices.Contains(imports[file], file) {
			circles = append(circles, circle)
		}
		stack = stack[:at]
	}
	for file := range imports {
		if index[file] == 0 {
			visit(file)
		}
	}
	return circles, err
})
