package wire

import (
	"fmt"

	"github.com/dunglas/httpsfv"
)

// Header fields by which a session's subprotocol is agreed on: a client offers, a server chooses.
const (
	FieldAvailableProtocols = "wt-available-protocols"
	FieldProtocol           = "wt-protocol"
)

// ParseAvailableProtocols are the names that a client offers, the one it likes best first. values are those of its
// wt-available-protocols fields; none are offered if that is no list of strings.
func ParseAvailableProtocols(values []string) []string {
	list, err := httpsfv.UnmarshalList(values)
	if err != nil {
		return nil
	}
	var names []string
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return nil
		}
		name, ok := item.Value.(string)
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// FormatAvailableProtocols is the value by which a client offers names. It fails for one that has other characters than ASCII has to
// print.
func FormatAvailableProtocols(names []string) (string, error) {
	list := make(httpsfv.List, len(names))
	for i, name := range names {
		list[i] = httpsfv.NewItem(name)
	}
	value, err := httpsfv.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("%s: %w", FieldAvailableProtocols, err)
	}
	return value, nil
}

// ParseProtocol is the name that a server chose. values are those of its wt-protocol fields; ok is false if that is no string: then the
// server has chosen none.
func ParseProtocol(values []string) (name string, ok bool) {
	item, err := httpsfv.UnmarshalItem(values)
	if err != nil {
		return "", false
	}
	name, ok = item.Value.(string)
	return name, ok
}

// FormatProtocol is the value by which a server chooses a name. It fails for one that no client can have offered.
func FormatProtocol(name string) (string, error) {
	value, err := httpsfv.Marshal(httpsfv.NewItem(name))
	if err != nil {
		return "", fmt.Errorf("%s: %w", FieldProtocol, err)
	}
	return value, nil
}
