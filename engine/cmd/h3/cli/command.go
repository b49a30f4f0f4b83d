package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// A Command is one of the program's. New makes its options anew each time, with variables of their own.
type Command struct {
	Name     string
	Operands []string // what they are called
	Summary  string
	New      func() *Run
}

// A Run is a command that is about to run: Main is called once the options are set.
type Run struct {
	Options []Option
	Main    func(ctx context.Context, std *Std, operands []string) error
}

// An Option is one that a command takes.
type Option struct {
	Names []string // without dashes: a letter, a word, or both in this order
	Value string   // what its value is called; empty: it has none
	Text  string
	Set   func(value string) error // its error says what the value ought to be
}

// Std is what a command reads and writes.
type Std struct {
	In       *os.File
	Out, Err *os.File
}

// Spelling is how an option is written: "-o, --output FILE".
func (o *Option) Spelling() string {
	var names []string
	for _, name := range o.Names {
		names = append(names, dashed(name))
	}
	spelling := strings.Join(names, ", ")
	if o.Value != "" {
		spelling += " " + o.Value
	}
	return spelling
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Usage is a command's first line of help.
func (c *Command) Usage() string {
	return strings.Join(append([]string{"h3", c.Name, "[OPTION]..."}, c.Operands...), " ")
}

// Help writes what a command does and takes.
func (c *Command) Help(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n%s\n\nOptions:\n", c.Usage(), c.Summary)
	options := c.New().Options
	width := 0
	for i := range options {
		width = max(width, len(options[i].Spelling()))
	}
	for i := range options {
		fmt.Fprintf(w, "  %-*s  %s\n", width, options[i].Spelling(), options[i].Text)
	}
}
