package config

import (
	"bufio"
	"fmt"
	"io"
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
// All or Set, read again, gives the same configuration.
func (c *Config) Print(w io.Writer, choice Choice) error {
	out := bufio.NewWriter(w)
	for _, k := range c.table() {
		if _, set := c.set[k.name]; choice == Set && !set {
			continue
		}
		text := quote(k.value.String())
		if choice == Defaults {
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
