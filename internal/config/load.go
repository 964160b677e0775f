package config

import "io"

// Load reads a configuration file, "" for none, and then the overrides, each
// "key=value" as after -o. An error is of type Errors.
func Load(file string, overrides []string) (*Config, error) {
	return &Config{}, nil
}

// Check looks for what is wrong between keys that are each right alone.
func (c *Config) Check() []Problem { return nil }

// Problem is a finding of Check.
type Problem struct {
	Key     string
	Where   string // "file:line", "-o", or "" for a default
	Text    string
	Warning bool // barid can start all the same
}

// Choice says which keys Print prints.
type Choice int

// The choices.
const (
	All      Choice = iota // every key with the value in force
	Set                    // those set in the file or by -o
	Defaults               // every key with its default
)

// Print writes keys and values in the form of the file.
func (c *Config) Print(w io.Writer, choice Choice) error { return nil }
