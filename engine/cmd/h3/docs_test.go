package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"zigh3/engine/cmd/h3/cli"
)

// docs/cli.md has every command with its options, and every exit code, in the program's own words, and no others.
func TestTheDocumentIsTheProgram(t *testing.T) {
	text, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for _, c := range commands {
		table := fmt.Sprintf("    %s\n\n%s\n", c.Usage(), c.Summary)
		if !strings.Contains(string(text), "## h3 "+c.Name+"\n\n"+table) {
			t.Errorf("docs/cli.md does not have\n%s", table)
		}
		table = "| option | effect |\n|---|---|\n"
		options := c.New().Options
		for i := range options {
			table += fmt.Sprintf("| `%s` | %s |\n", options[i].Spelling(), options[i].Text)
		}
		tables = append(tables, table)
	}
	table := "| code | name | what it says |\n|---|---|---|\n"
	for _, e := range cli.Exits {
		table += fmt.Sprintf("| %d | `%s` | %s |\n", e.Exit, e.Name, e.Text)
	}
	tables = append(tables, table)
	for _, table := range tables {
		if !strings.Contains(string(text)+"\n", "\n"+table+"\n") {
			t.Errorf("docs/cli.md does not have\n%s", table)
		}
	}
	if n := strings.Count(string(text), "\n|---|"); n != len(tables) {
		t.Errorf("docs/cli.md has %d tables, not %d", n, len(tables))
	}
}

// Each option works by each of its names, and a command has no name twice.
func TestOptionsHaveOneMeaning(t *testing.T) {
	for _, c := range commands {
		names := map[string]bool{}
		options := c.New().Options
		for i := range options {
			for _, name := range options[i].Names {
				if names[name] || name == "h" || name == "help" {
					t.Errorf("%s has -%s twice", c.Name, name)
				}
				names[name] = true
			}
			if strings.ContainsAny(options[i].Text, "|\n") || strings.HasSuffix(options[i].Text, ".") {
				t.Errorf("%s: %q is no line of a table", c.Name, options[i].Text)
			}
		}
	}
}
