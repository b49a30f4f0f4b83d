package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"zigh3/engine/cmd/h3/peer"
)

// An answer is a response as it is decided. Its body is either text or a part of a file.
type answer struct {
	status int
	fields peer.Fields
	text   []byte
	file   *os.File // nil: none
	from   int64
	length int64 // of the part; without a file of text
}

// plain is an answer that says nothing but its status.
func plain(status int, fields ...peer.Field) *answer {
	text := strconv.Itoa(status) + " " + strings.ToLower(http.StatusText(status)) + "\n"
	return &answer{status: status, fields: append(fields, peer.Field{Name: "content-type", Value: "text/plain; charset=utf-8"}), text: []byte(text), length: int64(len(text))}
}

// decide finds out what a request is answered with. It may wait for a disk.
func (f *folder) decide(request peer.Fields) *answer {
	path := request.Get(":path")
	name, folder, ok := nameOf(path, f.o.hidden)
	if !ok {
		return plain(404)
	}
	file, info, err := f.open(name)
	switch {
	case err != nil:
		return plain(statusOf(err))
	case info.IsDir() && !folder:
		file.Close()
		return plain(301, peer.Field{Name: "location", Value: slashed(path)})
	case info.IsDir():
		defer file.Close()
		return f.decideFolder(request, name, file)
	case folder:
		file.Close()
		return plain(404)
	}
	return decideFile(request, name, file, info)
}

// open opens a file or a folder, and nothing else: a FIFO would never let go of who opens it, a device may have no end.
func (f *folder) open(name string) (*os.File, fs.FileInfo, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// statusOf is what an error of the file system is answered with. A name that leads out of the folder is none that there is.
func statusOf(err error) int {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return 403
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return 503
	case errors.Is(err, syscall.EIO):
		return 500
	}
	return 404
}

const index = "index.html"

// decideFolder shows a folder.
func (f *folder) decideFolder(request peer.Fields, name string, dir *os.File) *answer {
	below := index
	if name != "." {
		below = name + "/" + index
	}
	file, info, err := f.open(below)
	switch {
	case err == nil && !info.IsDir():
		return decideFile(request, index, file, info)
	case err == nil:
		file.Close()
	}
	if f.o.noListing {
		return plain(404)
	}
	text, err := f.list(request.Get(":path"), name, dir)
	if err != nil {
		return plain(statusOf(err))
	}
	return &answer{status: 200, fields: peer.Fields{{Name: "content-type", Value: "text/html; charset=utf-8"}, {Name: "x-content-type-options", Value: "nosniff"}}, text: text, length: int64(len(text))}
}

// decideFile gives a file, or a part of it, or says that the peer has it.
func decideFile(request peer.Fields, name string, file *os.File, info fs.FileInfo) *answer {
	v := version{tag: fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()), modified: info.ModTime().Truncate(time.Second)}
	about := peer.Fields{{Name: "etag", Value: v.tag}, {Name: "last-modified", Value: v.modified.UTC().Format(http.TimeFormat)}, {Name: "accept-ranges", Value: "bytes"}}
	refuse := func(a *answer) *answer {
		file.Close()
		return a
	}
	switch v.check(request) {
	case 304:
		return refuse(&answer{status: 304, fields: about})
	case 412:
		return refuse(plain(412, about...))
	}
	size := info.Size()
	a := &answer{status: 200, file: file, length: size, fields: append(about, peer.Field{Name: "content-type", Value: contentType(name)}, peer.Field{Name: "x-content-type-options", Value: "nosniff"})}
	if request.Get(":method") != "GET" || !request.Has("range") || !v.inRange(request) {
		return a
	}
	from, length, ok := parseRange(request.Get("range"), size)
	switch {
	case !ok: // not one that we give
	case length == 0:
		return refuse(plain(416, append(about, peer.Field{Name: "content-range", Value: fmt.Sprintf("bytes */%d", size)})...))
	default:
		a.status, a.from, a.length = 206, from, length
		a.fields = append(a.fields, peer.Field{Name: "content-range", Value: fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, size)})
	}
	return a
}
