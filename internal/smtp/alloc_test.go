//go:build !race

package smtp

import "testing"

func TestReadingRepliesAllocatesNothing(t *testing.T) {
	var r ReplyReader
	in := []byte("250-2.1.5 first line\r\n250 2.1.5 second line of the reply\r\n")
	read := func() {
		for rest := in; len(rest) > 0; {
			n, _, _, err := r.Read(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
