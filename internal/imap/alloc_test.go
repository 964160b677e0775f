//go:build !race

package imap

import "testing"

// TestEncodingAllocNothing: a FETCH response of a message costs no memory.
func TestEncodingAllocNothing(t *testing.T) {
	out := make([]byte, 0, 4096)
	names := []string{"$Forwarded", "$Junk"}
	mailbox, envelope, item := []byte("Entwürfe"), []byte(`("x" "y" NIL NIL NIL NIL NIL NIL NIL NIL)`), FetchItem{Kind: FetchSection}
	set := SeqSet{Ranges: []Range{{1, 5}, {7, 9}}}
	entry := ListEntry{Flags: ListHasChildren, Separator: '/', Name: mailbox}
	status := MailboxStatus{Messages: 5}
	n := testing.AllocsPerRun(100, func() {
		var w FetchWriter
		var s SetWriter
		b := w.Begin(out[:0], 7)
		b = w.Flags(b, FlagSeen, names, 3)
		b = w.UID(b, 5)
		b = w.Envelope(b, envelope)
		b = w.InternalDate(b, 837596665, -420)
		b = w.End(w.Section(b, &item, 0))
		b = s.End(s.Add(s.Add(b, 5), 6))
		b = set.Append(b)
		b = entry.Append(b, false)
		b = status.Append(b, mailbox, StatusMessages|StatusUnseen, false)
		if len(b) > 4096 {
			t.Fatal("too long")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// TestMatchingAllocNothing: LIST asks each mailbox.
func TestMatchingAllocNothing(t *testing.T) {
	pattern, name := []byte("a%b*c"), []byte("axxb/c/c")
	if n := testing.AllocsPerRun(100, func() { MatchPattern(pattern, name, '/') }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
