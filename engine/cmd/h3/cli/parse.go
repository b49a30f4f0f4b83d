package cli

import (
	"errors"
	"flag"
	"io"
	"strings"
)

// ErrHelp: --help was among the arguments.
var ErrHelp = flag.ErrHelp

// Parse sets options by arguments, and gives the operands. Package flag does that, for arguments in its own order: here options may
// also stand behind operands, and letters behind one dash, as everybody writes them.
func (r *Run) Parse(c *Command, args []string) (operands []string, err error) {
	set := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for i := range r.Options {
		o := &r.Options[i]
		for _, name := range o.Names {
			if o.Value == "" {
				set.BoolFunc(name, o.Text, func(value string) error {
					if value != "true" {
						return errors.New("it takes no value")
					}
					return o.Set("")
				})
			} else {
				set.Func(name, o.Text, o.Set)
			}
		}
	}
	options, operands := r.sort(args)
	if err := set.Parse(options); errors.Is(err, flag.ErrHelp) {
		return nil, ErrHelp
	} else if err != nil {
		return nil, Fail(Usage, "%v", err)
	}
	if len(operands) != len(c.Operands) {
		return nil, Fail(Usage, "%s takes %d operand, not %d: %s", c.Name, len(c.Operands), len(operands), c.Usage())
	}
	return operands, nil
}

// sort takes arguments apart into options, each with its value behind "=", and operands.
func (r *Run) sort(args []string) (options, operands []string) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		value := func(name string) { // of an option that has none yet
			if len(args) > 0 {
				name, args = name+"="+args[0], args[1:]
			}
			options = append(options, name)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
		switch {
		case arg == "--":
			return options, append(operands, args...)
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			operands = append(operands, arg)
		case strings.HasPrefix(arg, "--"):
			if o := r.option(name); o != nil && o.Value != "" {
				value(arg)
			} else {
				options = append(options, arg) // with a value of its own, without, or not known
			}
		default:
			for len(name) > 0 {
				letter := "-" + name[:1]
				o := r.option(name[:1])
				name = name[1:]
				takes := o != nil && o.Value != ""
				switch {
				case takes && name == "":
					value(letter)
				case takes || strings.HasPrefix(name, "="):
					options = append(options, letter+"="+strings.TrimPrefix(name, "="))
					name = ""
				default:
					options = append(options, letter)
				}
			}
		}
	}
	return options, operands
}

// option is the one with a name.
func (r *Run) option(name string) *Option {
	for i := range r.Options {
		for _, n := range r.Options[i].Names {
			if n == name {
				return &r.Options[i]
			}
		}
	}
	return nil
}
