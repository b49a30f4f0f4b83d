package peer

import (
	"errors"
	"slices"
	"strings"

	"zigh3/engine/wire"
)

// A Field is a header field.
type Field struct{ Name, Value string }

// Fields are those of a request. What the command line says takes the place of what the program says.
type Fields []Field

// ParseField reads "Name: value". "Name;" is a field without a value; removed reports "Name:", which takes a field of the program's away.
func ParseField(text string) (f Field, removed bool, err error) {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		if name, ok = strings.CutSuffix(strings.TrimSpace(text), ";"); !ok {
			return Field{}, false, errors.New("it takes 'Name: value'")
		}
		value = ";"
	}
	name = strings.ToLower(strings.TrimSpace(name))
	value = strings.TrimSpace(value)
	switch value {
	case "":
		return Field{Name: name}, true, nil
	case ";":
		value = ""
	}
	if err := wire.CheckRequestField([]byte(name), []byte(value)); err != nil {
		return Field{}, false, err
	}
	return Field{name, value}, false, nil
}

// A FieldList is what options give of a request's fields.
type FieldList struct {
	fields  Fields
	removed []string
}

// Set takes an option's value.
func (l *FieldList) Set(text string) error {
	f, removed, err := ParseField(text)
	switch {
	case err != nil:
		return err
	case removed:
		l.removed = append(l.removed, f.Name)
	default:
		l.fields = append(l.fields, f)
	}
	return nil
}

// With gives own, less what the options take away or give themselves, and what they give.
func (l *FieldList) With(own Fields) Fields {
	var all Fields
	for _, f := range own {
		if !slices.Contains(l.removed, f.Name) && !l.fields.Has(f.Name) {
			all = append(all, f)
		}
	}
	return append(all, l.fields...)
}

// Has reports whether there is a field of a name.
func (f Fields) Has(name string) bool {
	return slices.ContainsFunc(f, func(one Field) bool { return one.Name == name })
}

// Get is the value of the first field of a name, empty if there is none.
func (f Fields) Get(name string) string {
	for _, one := range f {
		if one.Name == name {
			return one.Value
		}
	}
	return ""
}

// Without gives the fields but those of some names.
func (f Fields) Without(names ...string) Fields {
	return slices.DeleteFunc(slices.Clone(f), func(one Field) bool { return slices.Contains(names, one.Name) })
}

// Pack makes the engine's list of them.
func (f Fields) Pack() (packed []byte) {
	for _, one := range f {
		packed = wire.AppendPacked(packed, one.Name, one.Value)
	}
	return packed
}

// Unpack takes a list of the engine's apart.
func Unpack(packed []byte) (f Fields) {
	for list := (wire.PackedReader{Rest: packed}); ; {
		name, value, ok := list.Next()
		if !ok {
			return f
		}
		f = append(f, Field{string(name), string(value)})
	}
}
