package proto

import (
	"bytes"
	"testing"
)

// turnEnd separates the turns of a server in the input of FuzzCut.
var turnEnd = []byte{1}

// fuzzQueue is a queue in which everything occurs once.
var fuzzQueue = [][2]string{
	{"from", "a@b.example"}, {"to", "c@d.example SUCCESS rfc822;c"}, {"to", "e@h.example"}, {"to", "bad"}, {"to", `j\u00f8@d.example`},
	{"size", "100"}, {"ret", "full"}, {"envid", "QQ"}, {"text", `.\r\n\n..x\n`},
	{"message", ""}, {"to", "c@d.example"}, {"body", "8bit"},
	{"message", ""}, {"from", "a@b.example"}, {"to", "c@d.example"}, {"to", "e@d.example"}, {"body", "binary"}, {"text", `one\r\ntwo\nthree\rfour`},
	{"message", ""}, {"from", "a@b.example"}, {"to", "c@d.example"}, {"text", `1234567\rx`},
}

// fuzzSettings are the destinations that FuzzCut chooses from.
var fuzzSettings = [][][2]string{
	{},
	{{"dialect", "lmtp"}},
	{{"tls", "required"}, {"login", "alice wonderland"}},
	{{"tls", "never"}, {"login", "alice wonderland"}, {"clear", "yes"}},
	{{"tls", "implicit"}, {"ignore", "pipelining"}, {"keep", "yes"}},
}

// FuzzCut: whatever the server says and however it is cut, the conversation
// is the same, and the owner (see step, serve, done) finds every promise
// kept.
func FuzzCut(f *testing.F) {
	for i, s := range scripts(f) {
		if input := bytes.Join(turns(s), turnEnd); len(input) < 3000 {
			f.Add(input, []byte{byte(i), 0, 7}, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, input, cuts []byte, which uint8) {
		if len(input) > 4000 || len(cuts) == 0 {
			return
		}
		settings := append(fuzzQueue[:len(fuzzQueue):len(fuzzQueue)], fuzzSettings[int(which)%len(fuzzSettings)]...)
		all := bytes.Split(input, turnEnd)
		whole, cut := play(t, settings, all, nil), play(t, settings, all, cuts)
		if whole != cut {
			t.Fatalf("cut at %v the conversation is another one\nwhole:\n%s\ncut:\n%s", cuts, whole, cut)
		}
	})
}
