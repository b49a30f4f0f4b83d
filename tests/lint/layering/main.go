// Layering checks what the compiler does not: who may import whom, that the library neither prints nor exits nor takes signals,
// that each goroutine in it starts through the guard, and that no binding asks the library to call back.
//
// It is run from the root of the repository, prints each breach with its place, and ends with "N passed, N failed": one check for
// each rule.
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A rule holds for files of certain folders; breaches gives the places in one file where it does not.
type rule struct {
	name     string
	folders  []string
	suffix   string
	breaches func(f *source) []breach
}

type breach struct {
	pos  token.Position
	what string
}

// A source is one file, parsed if it is Go.
type source struct {
	path string
	text []byte
	fset *token.FileSet
	tree *ast.File
}

var goFolders = []string{"engine", "eventq", "capi"}

// quicgo is what capi/build.sh puts into its copy of quic-go.
const quicgo = "capi/quicgo"

// programs are commands on the engine's rooms. They are no part of the library: they print, exit and take signals.
const programs = "engine/cmd"

var rules = []rule{
	{"engine knows neither C nor the queue nor capi nor its tests' client", []string{"engine"}, ".go", forbidImports(func(path string) bool {
		return path == "C" || path == "zigh3/eventq" || path == "zigh3/capi" || path == "zigh3/engine/enginetest"
	})},
	{"engine's rooms import what stands below them in engine/doc.go", []string{"engine"}, ".go", except(programs, outOfOrder)},
	{"the rooms of the command line program import as h3Rooms says, and of the library what stands in engine", []string{programs}, ".go", outOfProgram},
	{"engine reaches into nothing: no unsafe, no reflect, no linkname", []string{"engine"}, ".go", reachingIn},
	{"the doc.go of each of engine's rooms says what each of its files holds", []string{"engine"}, ".go", unmapped},
	{"eventq imports only the standard library, nothing of networks in it, and eapache/queue", []string{"eventq"}, ".go", forbidImports(func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		standard := !strings.Contains(first, ".") && first != "zigh3" && path != "C" && first != "net" && first != "crypto"
		return !standard && path != "github.com/eapache/queue"
	})},
	{"capi knows no HTTP, and of the project engine and eventq", []string{"capi"}, ".go", except(quicgo, forbidImports(func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return first == "net" || strings.Contains(first, ".") || strings.HasPrefix(path, "zigh3/"+programs) ||
			first == "zigh3" && !strings.HasPrefix(path, "zigh3/engine") && path != "zigh3/eventq"
	}))},
	{"capi's C includes what stands below it in cOrder", []string{"capi"}, ".c", outOfCOrder},
	{"its headers too", []string{"capi"}, ".h", outOfCOrder},
	{"the map in capi/main.go says what each C file holds", []string{"capi"}, ".c", unmappedInCapi},
	{"and each header", []string{"capi"}, ".h", unmappedInCapi},
	{"and each Go file, and names none that is not there", []string{"capi"}, ".go", except(quicgo, unmappedInCapi)},
	{"what is put into quic-go knows quic-go and engine/congestion", []string{quicgo}, ".go", forbidImports(func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return path != "zigh3/engine/congestion" && !strings.HasPrefix(path, "github.com/quic-go/quic-go/") && (first == "zigh3" || strings.Contains(first, "."))
	})},
	{"engine/congestion knows the standard library", []string{"engine/congestion"}, ".go", forbidImports(func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return path == "C" || path == "unsafe" || path == "reflect" || first == "zigh3" || first == "net" || strings.Contains(first, ".")
	})},
	{"nothing of Go's is exported: no thread of the host enters it", goFolders, ".go", forbidExports},
	{"no os/signal in the library", goFolders, ".go", except(programs, forbidImports(func(path string) bool { return path == "os/signal" }))},
	{"the library neither prints nor exits", goFolders, ".go", except(programs, forbidCalls)},
	{"each goroutine starts through the guard", []string{"engine", "capi"}, ".go", unguarded},
	{"the C side neither prints, exits nor takes signals", []string{"capi"}, ".c", forbidC},
	{"its headers neither", []string{"capi"}, ".h", forbidC},
	{"no JSCallback in the bindings", []string{"bindings"}, ".ts", forbidJSCallback},
	{"the Bun package's rooms import as the table of bunRooms says", []string{bunSource}, ".ts", againstTable},
	{"no circle of files in the Bun package, types included", []string{bunSource}, ".ts", inCircle},
	{"the map in the Bun package's index.ts says what each of its files holds", []string{bunSource}, ".ts", unmappedScript},
	{"of the Bun package only native imports bun:ffi", []string{bunSource}, ".ts", foreignFFI},
	{"the Bun package's index.ts only exports what others have", []string{bunSource}, ".ts", moreThanExports},
	{"the Bun package's index.ts is imported by nobody in it", []string{bunSource}, ".ts", indexImported},
}

func main() {
	passed, failed := 0, 0
	for _, r := range rules {
		files, breaches, err := r.check()
		switch {
		case err != nil:
			fmt.Printf("%s: %v\n", r.name, err)
			failed++
		case files == 0:
			fmt.Printf("%s: no %s file in %s\n", r.name, r.suffix, strings.Join(r.folders, ", "))
			failed++
		case len(breaches) > 0:
			for _, b := range breaches {
				fmt.Printf("%s: %s: %s\n", b.pos, r.name, b.what)
			}
			failed++
		default:
			passed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// check applies the rule to every file in its folders that is part of the product: not to tests and what only they import, nor to what
// was installed.
func (r rule) check() (files int, breaches []breach, err error) {
	for _, folder := range r.folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == "enginetest") {
				return filepath.SkipDir
			}
			if entry.IsDir() || !strings.HasSuffix(path, r.suffix) || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			f, err := load(path)
			if err != nil {
				return err
			}
			files++
			breaches = append(breaches, r.breaches(f)...)
			return nil
		})
		if err != nil {
			return files, breaches, err
		}
	}
	slices.SortFunc(breaches, func(a, b breach) int {
		return cmp.Or(strings.Compare(a.pos.Filename, b.pos.Filename), a.pos.Line-b.pos.Line)
	})
	return files, breaches, nil
}

func load(path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &source{path: path, text: text, fset: token.NewFileSet()}
	if strings.HasSuffix(path, ".go") {
		f.tree, err = parser.ParseFile(f.fset, path, text, parser.SkipObjectResolution)
	}
	return f, err
}

// imports maps the names by which a file knows its imports to their paths.
func (f *source) imports() map[string]string {
	names := make(map[string]string)
	for _, spec := range f.tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has checked it
		}
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}

func forbidImports(forbidden func(path string) bool) func(*source) []breach {
	return func(f *source) (found []breach) {
		for _, spec := range f.tree.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err == nil && forbidden(path) {
				found = append(found, breach{f.fset.Position(spec.Pos()), "imports " + spec.Path.Value})
			}
		}
		return found
	}
}

// rooms are engine's packages, from the bottom up: each imports only what stands before it.
var rooms = []string{"sink", "heap", "udp", "congestion", "config", "identity", "wire", "route", "message", "link", "datagram", "session", "server", "client"}

// strangers are rooms that know nothing of each other although one of them stands above.
var strangers = map[string][]string{"client": {"server", "route"}}

// testRooms are those that only tests import.
var testRooms = []string{"enginetest"}

// outOfOrder finds what a room imports of those that stand beside or above it, and files in no known room.
func outOfOrder(f *source) (found []breach) {
	const engine = "zigh3/engine/"
	room := filepath.Base(filepath.Dir(f.path))
	if filepath.Dir(f.path) == "engine" || slices.Contains(testRooms, room) {
		return nil // doc.go has nothing to import
	}
	own := slices.Index(rooms, room)
	if own < 0 {
		return []breach{{token.Position{Filename: f.path}, "a room that the lint does not know"}}
	}
	for _, spec := range f.tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !strings.HasPrefix(path, "zigh3/") {
			continue
		}
		other := slices.Index(rooms, strings.TrimPrefix(path, engine))
		if !strings.HasPrefix(path, engine) || other < 0 || other >= own || slices.Contains(strangers[room], rooms[other]) {
			found = append(found, breach{f.fset.Position(spec.Pos()), room + " imports " + path})
		}
	}
	return found
}

// h3Rooms are the folders of engine/cmd/h3, from the bottom up: each imports only what stands before it, and commands none of each other.
var h3Rooms = []string{"cli", "queue", "peer", "get", "serve", "wt", "bench"}

// h3Commands are those that are commands.
var h3Commands = []string{"get", "serve", "wt", "bench"}

// outOfProgram finds what a room of the command line program imports that it may not, and files in no known room.
func outOfProgram(f *source) (found []breach) {
	const h3 = "zigh3/engine/cmd/h3/"
	folder := filepath.ToSlash(filepath.Dir(f.path))
	room := strings.TrimPrefix(folder, programs+"/h3/")
	own := slices.Index(h3Rooms, room)
	if folder == programs+"/h3" {
		own = len(h3Rooms) // main, above all
	}
	if own < 0 {
		return []breach{{token.Position{Filename: f.path}, "a room that the lint does not know"}}
	}
	for _, spec := range f.tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !strings.HasPrefix(path, "zigh3/") {
			continue
		}
		name, ours := strings.CutPrefix(path, h3)
		other := slices.Index(h3Rooms, name)
		switch {
		case !ours && strings.HasPrefix(path, "zigh3/engine/") && slices.Contains(rooms, strings.TrimPrefix(path, "zigh3/engine/")):
		case ours && other >= 0 && other < own && !(slices.Contains(h3Commands, room) && slices.Contains(h3Commands, name)):
		default:
			found = append(found, breach{f.fset.Position(spec.Pos()), cmp.Or(room, "main") + " imports " + path})
		}
	}
	return found
}

// reachingIn finds what gets at the fields and functions of others that they do not export.
func reachingIn(f *source) []breach {
	found := forbidImports(func(path string) bool { return path == "unsafe" || path == "reflect" })(f)
	for i, line := range strings.Split(string(f.text), "\n") {
		if strings.HasPrefix(line, "//go:linkname") {
			found = append(found, breach{token.Position{Filename: f.path, Line: i + 1}, line})
		}
	}
	return found
}

// inMap finds the files that a doc.go has in its map.
var inMap = regexp.MustCompile(`(?m)^//\t(\w+\.go) +\S`)

// unmapped finds a file that its room's doc.go does not name, and in a doc.go what names no file.
func unmapped(f *source) (found []breach) {
	folder, name := filepath.Split(f.path)
	if name != "doc.go" {
		text, err := os.ReadFile(filepath.Join(folder, "doc.go"))
		if err != nil {
			return []breach{{token.Position{Filename: f.path}, "there is no doc.go beside it"}}
		}
		for _, line := range inMap.FindAllSubmatch(text, -1) {
			if string(line[1]) == name {
				return nil
			}
		}
		return []breach{{token.Position{Filename: f.path}, "doc.go does not name it"}}
	}
	for _, line := range inMap.FindAllSubmatch(f.text, -1) {
		if _, err := os.Stat(filepath.Join(folder, string(line[1]))); err != nil {
			found = append(found, breach{token.Position{Filename: f.path}, "names " + string(line[1]) + ", which is not there"})
		}
	}
	return found
}

// inCapiMap finds the names, without their endings, that a line of capi/main.go's map begins with.
var inCapiMap = regexp.MustCompile(`(?m)^//\t((?:\w+(?:\.h)?, )*\w+)`)

// unmappedInCapi finds a file of capi that the map in its main.go does not name, and there what names no file.
func unmappedInCapi(f *source) (found []breach) {
	folder, name := filepath.Split(f.path)
	text, err := os.ReadFile(folder + "main.go")
	if err != nil {
		return []breach{{token.Position{Filename: f.path}, "there is no main.go beside it"}}
	}
	named := make(map[string]bool)
	for _, line := range inCapiMap.FindAllSubmatch(text, -1) {
		for _, stem := range strings.Split(string(line[1]), ", ") {
			named[strings.TrimSuffix(stem, ".h")] = true
		}
	}
	if stem := strings.TrimSuffix(name, filepath.Ext(name)); stem != "main" && !named[stem] {
		found = append(found, breach{token.Position{Filename: f.path}, "main.go does not name it"})
	}
	if name != "main.go" {
		return found
	}
	for stem := range named {
		if files, _ := filepath.Glob(folder + stem + ".[cgh]*"); len(files) == 0 {
			found = append(found, breach{token.Position{Filename: f.path}, "names " + stem + ", which is not there"})
		}
	}
	return found
}

// cOrder are capi's C files with their headers, from the bottom up: each includes only what stands in a line before its own.
var cOrder = [][]string{
	{"cancel", "prefetch", "versioned", "utf8", "chunk", "signals"}, // nothing of ours
	{"error"},
	{"state", "config", "header_check", "given", "version", "error_names", "event_names", "alloc"},
	{"ring", "counter_names", "fork"},
	{"reactor"},
	{"account"},
	{"handle"},
	{"refusal"},
	{"submission"},
	{"body", "insist", "command"},
	{"writer", "inflow"},
	// Calls; those in the first line have a header for those in the second.
	{"response_headers", "session", "queue", "server", "datagram", "client", "client_url"},
	{"response", "session_answer", "stream", "drain", "client_connect", "client_fetch", "client_session"},
}

var included = regexp.MustCompile(`(?m)^#include "(.*)"`)

// outOfCOrder finds what a C file or header includes of those that stand beside or above it, and files in no known place.
func outOfCOrder(f *source) (found []breach) {
	place := func(path string) (string, int) {
		stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		return stem, slices.IndexFunc(cOrder, func(line []string) bool { return slices.Contains(line, stem) })
	}
	stem, own := place(f.path)
	if own < 0 {
		return []breach{{token.Position{Filename: f.path}, "a file that cOrder does not name"}}
	}
	for _, at := range included.FindAllSubmatchIndex(f.text, -1) {
		path := string(f.text[at[2]:at[3]])
		if path == "../include/zig_h3.h" {
			continue
		}
		if other, below := place(path); other != stem && (below < 0 || below >= own) {
			line := 1 + strings.Count(string(f.text[:at[0]]), "\n")
			found = append(found, breach{token.Position{Filename: f.path, Line: line}, stem + " includes " + path})
		}
	}
	return found
}

// except leaves a folder out.
func except(folder string, breaches func(*source) []breach) func(*source) []breach {
	return func(f *source) []breach {
		if strings.HasPrefix(f.path, folder+"/") {
			return nil
		}
		return breaches(f)
	}
}

// noisy names what writes to the host's streams or ends its process; the trailing * stands for any rest.
var noisy = []string{
	"fmt.Print*", "log.Print*", "log.Fatal*", "log.Panic*", "os.Exit", "os.Stdout", "os.Stderr", "syscall.Exit", "slog.Debug*",
	"slog.Info*", "slog.Warn*", "slog.Error*",
}

func forbidCalls(f *source) (found []breach) {
	imports := f.imports()
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			ident, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			path := imports[ident.Name]
			name := path[strings.LastIndexByte(path, '/')+1:] + "." + n.Sel.Name
			for _, pattern := range noisy {
				if prefix, any := strings.CutSuffix(pattern, "*"); name == pattern || any && strings.HasPrefix(name, prefix) {
					found = append(found, breach{f.fset.Position(n.Pos()), name})
				}
			}
		case *ast.CallExpr:
			if ident, ok := n.Fun.(*ast.Ident); ok && (ident.Name == "println" || ident.Name == "print") {
				found = append(found, breach{f.fset.Position(n.Pos()), ident.Name})
			}
		}
		return true
	})
	return found
}

// unguarded finds what starts a goroutine with anything but the guard: go statements, AfterFunc, and WaitGroup.Go.
func unguarded(f *source) (found []breach) {
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if name := callee(n.Call); !guards(name) && !guarded(n.Call.Fun) {
				found = append(found, breach{f.fset.Position(n.Pos()), "go " + cmp.Or(name, "func")})
			}
		case *ast.CallExpr:
			name := callee(n)
			if (name == "Go" || name == "AfterFunc") && !guarded(n.Args[len(n.Args)-1]) {
				found = append(found, breach{f.fset.Position(n.Pos()), name})
			}
		}
		return true
	})
	return found
}

func guards(name string) bool { return name == "Guard" || name == "guard" }

// callee is the name of the function or method that is called, without what it belongs to.
func callee(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	}
	return ""
}

// guarded reports whether a function is a literal that does nothing but call the guard, or one that begins by deferring a recover of
// its own, as the fault handler behind the guard must.
func guarded(function ast.Expr) bool {
	literal, ok := function.(*ast.FuncLit)
	if !ok || len(literal.Body.List) == 0 {
		return false
	}
	switch first := literal.Body.List[0].(type) {
	case *ast.ExprStmt:
		call, ok := first.X.(*ast.CallExpr)
		return ok && guards(callee(call)) && len(literal.Body.List) == 1
	case *ast.DeferStmt:
		recovers := false
		ast.Inspect(first.Call.Fun, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && callee(call) == "recover" {
				recovers = true
			}
			return true
		})
		return recovers
	}
	return false
}

// forbidExports finds what cgo would make a C function of.
func forbidExports(f *source) (found []breach) {
	for i, line := range strings.Split(string(f.text), "\n") {
		if strings.HasPrefix(line, "//export") {
			found = append(found, breach{token.Position{Filename: f.path, Line: i + 1}, line})
		}
	}
	return found
}

var (
	noisyC = regexp.MustCompile(`\b(printf|vprintf|fprintf|vfprintf|dprintf|puts|fputs|putchar|perror|exit|_exit|_Exit|abort)\s*\(`)
	// signalsC leaves the flags of the one signal to capi/signals.c, which installs nothing.
	signalsC = regexp.MustCompile(`\b(signal|bsd_signal|sigset|signalfd|sigprocmask|pthread_sigmask|sigaltstack|siginterrupt|sigaction)\s*\(`)
)

func forbidC(f *source) []breach {
	found := f.matches(noisyC)
	if f.path != "capi/signals.c" {
		found = append(found, f.matches(signalsC)...)
	}
	return found
}

func forbidJSCallback(f *source) []breach { return f.matches(regexp.MustCompile(`\bJSCallback\b`)) }

var cComment = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)

// matches finds a pattern line by line, comments apart.
func (f *source) matches(pattern *regexp.Regexp) (found []breach) {
	code := cComment.ReplaceAllFunc(f.text, func(comment []byte) []byte {
		return []byte(strings.Repeat("\n", strings.Count(string(comment), "\n")))
	})
	for i, line := range strings.Split(string(code), "\n") {
		if match := pattern.FindString(line); match != "" {
			found = append(found, breach{token.Position{Filename: f.path, Line: i + 1}, strings.TrimSuffix(match, "(")})
		}
	}
	return found
}
