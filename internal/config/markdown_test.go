package config

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/config.md")

func TestDocumentationIsInStepWithTheTable(t *testing.T) {
	const name = "../../docs/config.md"
	var want bytes.Buffer
	if err := writeMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/config.md is not what the table says (%v): run go test ./internal/config -update", err)
	}
}

const preface = `# Configuration

<!-- Written by "go test ./internal/config -update" from the table in internal/config (keys*.go). -->

` + "`barid.conf`" + ` holds one ` + "`key = value`" + ` a line. A ` + "`#`" + ` at the start of a line or after white space
begins a comment; a line that starts with white space continues the one before. Elements of a list are
divided by commas or white space. White space around a value does not count, unless the value is in double quotes.
Every key can be given on the command line too, as ` + "`-o key=value`" + `, which goes before the file.

* **size**: bytes, or with K, M, G or T as powers of 1024: ` + "`10M`" + `.
* **duration**: numbers with units, ms, s, m, h, d or w: ` + "`30s`, `1h30m`, `5d`" + `.
* **host:port**: ` + "`192.0.2.1:25`, `[2001:db8::1]:25`, `:25`" + ` for every address, ` + "`localhost:25`" + `, or
  ` + "`unix:/path`" + ` for a unix socket.
* **rate**: a number and the time it is for: ` + "`10/s`, `600/m`, `1000/h`" + `; 0 is no limit.
* **next hop**: ` + "`[mx.example.net]:587`, `[192.0.2.1]`, `[2001:db8::1]:25`" + `, or ` + "`example.net`" + ` without brackets for its MX.
* **networks**: ` + "`192.0.2.0/24`, `2001:db8::/32`" + `, or single addresses.
* **path**: relative to the directory of the configuration file, or to ` + "`data.dir`" + ` where the key says so.

` + "`barid config`" + ` prints all keys with their values, ` + "`-n`" + ` only those that are set, ` + "`-d`" + ` the
defaults. ` + "`barid check`" + ` says what is wrong, with file, line and what would have been right.
`

// writeMarkdown writes docs/config.md.
func writeMarkdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString(preface)
	for _, s := range new(Config).sections() {
		fmt.Fprintf(out, "\n## %s\n", s.title)
		if s.doc != "" {
			fmt.Fprintf(out, "\n%s\n", s.doc)
		}
		for _, k := range s.keys {
			fmt.Fprintf(out, "\n**`%s`** (%s, default %s)<br>\n%s\n", k.name, k.value.kind(), k.defaultInWords(), k.doc)
		}
	}
	return out.Flush()
}

func (k key) defaultInWords() string {
	switch {
	case k.derived != "":
		return k.derived
	case k.def == "":
		return "empty"
	}
	return "`" + k.def + "`"
}
