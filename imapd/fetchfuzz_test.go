package imapd

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"barid/internal/imap"
	"barid/internal/message"
)

// FuzzPiecesDecodeAsTheWhole cuts an encoded body into pieces, as it is read
// from a file, and compares what they encode with what the whole does.
func FuzzPiecesDecodeAsTheWhole(f *testing.F) {
	f.Add([]byte("QUJDREVG\nR0hJ\nSktM TU5P\n=QQ=="), true, 16)
	f.Add([]byte("caf=C3=A9 =\nau lait   \nx=\r\ny \t"), false, 16)
	f.Fuzz(func(t *testing.T, body []byte, inLetters bool, size int) {
		encoding := encodingNames[inQuotedPrintable]
		if inLetters {
			encoding = encodingNames[inBase64]
		}
		size = 16 + size&0xFF
		if !inLetters && longestLine(body) >= size {
			return // longer lines are cut where that may change what they mean
		}
		if inLetters {
			body = bytes.Map(letterOfBase64, body) // no piece has nothing but what is passed over
		}
		var whole message.Structure
		whole.Parse(slices.Concat([]byte("Content-Transfer-Encoding: "), encoding, []byte("\n\n"), body))
		decoder, _ := whole.Decode(0)
		want, err := io.ReadAll(&decoder)
		if err != nil {
			t.Fatal(err)
		}
		var d decoding
		var got []byte
		for rest := body; len(rest) > 0; {
			piece := rest[:min(size, len(rest))]
			n := cutEncoded(piece, encoding, len(piece) == len(rest))
			got = d.append(got, piece[:n], encoding)
			rest = rest[n:]
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("in pieces of %d: got %q, want %q", size, got, want)
		}
	})
}

func letterOfBase64(r rune) rune {
	if r < 0x80 && (r == '=' || r == '+' || r == '/' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') {
		return r
	}
	return -1
}

func longestLine(body []byte) (longest int) {
	for line := range bytes.Lines(body) {
		longest = max(longest, len(line))
	}
	return longest
}

// FuzzSummary reads damaged summaries, and its own.
func FuzzSummary(f *testing.F) {
	y := summary{sent: 1, zone: -60, dated: true}
	y.field[sumSubject] = []byte("x")
	y.parts = outline{{kind: message.Multipart, end: 10}, {depth: 1, number: 1, start: 3, body: 4, end: 9, encoding: inBase64, bodyOctets: 6}}
	y.field[sumOutline] = y.parts.append(nil)
	f.Add(y.append(nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		var y, again summary
		if !y.parse(blob) {
			return
		}
		y.outline().section(&imap.Section{Part: []uint32{1, 2}})
		if !again.parse(y.append(nil)) || again.sent != y.sent || !bytes.Equal(again.field[sumOutline], y.field[sumOutline]) {
			t.Fatalf("%v is not %v", again, y)
		}
	})
}

// TestEveryMessageIsInOneThread makes threads of random references.
func TestEveryMessageIsInOneThread(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		all := make([]threaded, rng.IntN(12))
		for i := range all {
			m := &all[i]
			m.number, m.sent, m.reply = uint32(i+1), int64(rng.IntN(5)), rng.IntN(2) == 0
			m.subject, m.id = []string{"", "x", "y"}[rng.IntN(3)], []string{"", "a", "b", "c", "d", "e"}[rng.IntN(6)]
			for range rng.IntN(4) {
				m.references = append(m.references, fmt.Sprintf("%c", 'a'+rng.IntN(8)))
			}
		}
		for _, make := range []func([]threaded) []imap.ThreadNode{bySubject, byReferences} {
			var numbers []uint32
			nodes := make(all)
			walkThreads(nodes, nodes[0].Child, &numbers)
			slices.Sort(numbers)
			for i := range all {
				if len(numbers) != len(all) || numbers[i] != uint32(i+1) {
					t.Fatalf("%+v: got %v", all, numbers)
				}
			}
		}
	}
}

func walkThreads(nodes []imap.ThreadNode, n int32, numbers *[]uint32) {
	for ; n != 0; n = nodes[n].Next {
		if nodes[n].Number > 0 {
			*numbers = append(*numbers, nodes[n].Number)
		}
		walkThreads(nodes, nodes[n].Child, numbers)
	}
}
