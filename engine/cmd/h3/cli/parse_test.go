package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestArgumentsAreTakenInAnyOrder(t *testing.T) {
	c := &Command{Name: "try", Operands: []string{"A"}}
	for args, want := range map[string]string{
		"x":                      "x  [] false false 0s",
		"-a x":                   "x  [] true false 0s",
		"x -a":                   "x  [] true false 0s",
		"-ab x":                  "x  [] true true 0s",
		"-abo f x":               "x f [] true true 0s",
		"-abof x":                "x f [] true true 0s",
		"-o=f x":                 "x f [] false false 0s",
		"-o -a x":                "x -a [] false false 0s",
		"--out f x":              "x f [] false false 0s",
		"--out=f=g x":            "x f=g [] false false 0s",
		"--out= x":               "x  [] false false 0s",
		"--list 1 x --list 2 -a": "x  [1 2] true false 0s",
		"--time 1.5 x":           "x  [] false false 1.5s",
		"-- -a":                  "-a  [] false false 0s",
		"-":                      "-  [] false false 0s",
		"-c x":                   "flag provided but not defined: -c",
		"--a-long x":             "flag provided but not defined: -a-long",
		"-a=true x":              "x  [] true false 0s",
		"-a=no x":                `invalid boolean value "no" for -a: it takes no value`,
		"-c=no x":                "flag provided but not defined: -c",
		"--all=no x":             `invalid boolean value "no" for -all: it takes no value`,
		"x -o":                   "flag needs an argument: -o",
		"x --out":                "flag needs an argument: -out",
		"--time soon x":          `invalid value "soon" for flag -time: it takes seconds, from 1 to 10`,
		"--time NaN x":           `invalid value "NaN" for flag -time: it takes seconds, from 1 to 10`,
		"--time 0.5 x":           `invalid value "0.5" for flag -time: it takes seconds, from 1 to 10`,
		"":                       "try takes 1 operand, not 0: h3 try [OPTION]... A",
		"x y":                    "try takes 1 operand, not 2: h3 try [OPTION]... A",
		"-h":                     ErrHelp.Error(),
		"x --help":               ErrHelp.Error(),
	} {
		var a, b bool
		var out string
		var list []string
		var limit time.Duration
		r := &Run{Options: []Option{
			{Names: []string{"a", "all"}, Set: Switch(&a)}, {Names: []string{"b"}, Set: Switch(&b)}, {Names: []string{"o", "out"}, Value: "FILE", Set: Text(&out)},
			{Names: []string{"list"}, Value: "N", Set: Texts(&list)}, {Names: []string{"time"}, Value: "SECONDS", Set: Seconds(&limit, 1, 10)},
		}}
		operands, err := r.Parse(c, strings.Fields(args))
		got := fmt.Sprint(strings.Join(operands, " "), " ", out, " ", list, " ", a, " ", b, " ", limit)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

func TestNumbersHaveBounds(t *testing.T) {
	var n int
	set := Number(&n, 1, 10)
	for value, ok := range map[string]bool{"1": true, "10": true, "0": false, "11": false, "-1": false, "x": false, "": false, "1.5": false, "99999999999999999999": false} {
		if err := set(value); (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestExitOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Exit
	}{{nil, OK}, {Fail(Pin, "x"), Pin}, {fmt.Errorf("y: %w", Fail(Range, "x")), Range}, {errors.New("z"), Fault}} {
		if got := ExitOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
