package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Choice says which keys Print prints.
type Choice int

// The choices.
const (
	All      Choice = iota // every key with the value in force
	Set                    // those set in the file or by -o
	Defaults               // every key with its default
)

// Print writes keys and values in the form of the file. What it writes for
// All or Set, read again, gives the same configuration; Defaults come with
// what each key means.
func (c *Config) Print(w io.Writer, choice Choice) error {
	out := bufio.NewWriter(w)
	for _, k := range c.table() {
		if _, set := c.set[k.name]; choice == Set && !set {
			continue
		}
		text := quote(k.value.String())
		if choice == Defaults {
			comment(out, k.doc)
			text = quote(k.def)
			if k.derived != "" {
				text = "# " + k.derived
			}
		}
		line := k.name + " ="
		if text != "" {
			line += " " + text
		}
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

// comment writes what a key means above it, in lines of at most 78 octets.
func comment(out *bufio.Writer, doc string) {
	const width = 78
	fmt.Fprint(out, "\n#")
	column := 1
	for word := range strings.FieldsSeq(strings.ReplaceAll(doc, "`", "")) {
		if column+1+len(word) > width {
			fmt.Fprint(out, "\n#")
			column = 1
		}
		fmt.Fprint(out, " ", word)
		column += 1 + len(word)
	}
	fmt.Fprintln(out)
}

// Changed names the keys whose values differ between two configurations.
func Changed(a, b *Config) []string {
	var names []string
	other := b.table()
	for i, k := range a.table() {
		if k.value.String() != other[i].value.String() {
			names = append(names, k.name)
		}
	}
	return names
}
