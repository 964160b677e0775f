package imap

import (
	"strings"
	"testing"
)

func TestStringsAsTheClientUnderstandsThem(t *testing.T) {
	long := strings.Repeat("x", quotedMax+1)
	for _, c := range []struct{ in, plain, utf8 string }{
		{"a", `"a"`, `"a"`}, {"", `""`, `""`}, {`a"\`, `"a\"\\"`, `"a\"\\"`}, {"é", "{2}\r\né", `"é"`}, {"\xff", "{1}\r\n\xff", "{1}\r\n\xff"},
		{"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"}, {"a\x00b", "{3}\r\na?b", "{3}\r\na?b"}, {long, "{1001}\r\n" + long, "{1001}\r\n" + long}, {"\x01\t", "\"\x01\t\"", "\"\x01\t\""},
	} {
		if got := string(AppendNString(nil, []byte(c.in), false)); got != c.plain {
			t.Errorf("%q is %q", c.in, got)
		}
		if got := string(AppendNString(nil, []byte(c.in), true)); got != c.utf8 {
			t.Errorf("%q with UTF-8 is %q", c.in, got)
		}
	}
	for in, want := range map[string]string{"atom]": "atom]", "a b": `"a b"`, "NiL": `"NiL"`, "": `""`, "a*": `"a*"`} {
		if got := string(AppendAString(nil, []byte(in), false)); got != want {
			t.Errorf("%q is %s", in, got)
		}
	}
	if got := string(AppendNString(nil, nil, false)); got != "NIL" {
		t.Errorf("nothing is %s", got)
	}
}

// FuzzStringsComeBack: what an appender makes, the parser reads.
func FuzzStringsComeBack(f *testing.F) {
	f.Add("a \"b\"\\", true)
	f.Add("é\r\n{5}\r\n", false)
	f.Fuzz(func(t *testing.T, s string, utf8 bool) {
		in := Text(AppendAString(nil, []byte(s), utf8))
		got, fault := in.AString()
		if want := strings.ReplaceAll(s, "\x00", "?"); fault != "" || string(got) != want || !in.Empty() {
			t.Fatalf("%q came back as %q, %s", s, got, fault)
		}
	})
}

// fetchOf parses the items of a FETCH.
func fetchOf(t *testing.T, text string) Fetch {
	t.Helper()
	p := new(Parser)
	p.Begin([]byte(text), &Dialect{Caps: ^Caps(0)})
	f, fault := p.FetchAtts()
	if fault != "" {
		t.Fatal(fault)
	}
	return f
}

func TestFetchResponse(t *testing.T) {
	f := fetchOf(t, `(BODY[1.2.HEADER.FIELDS (From "x y")]<3.10> BINARY[1] BINARY.SIZE[2] RFC822 RFC822.HEADER RFC822.TEXT BODY.PEEK[])`)
	var w FetchWriter
	out := w.Begin(nil, 12)
	if !w.Empty() {
		t.Error("there are no items yet")
	}
	out = w.UID(out, 7)
	out = w.Flags(out, FlagSeen|FlagRecent, []string{"a", "b", "c"}, 5)
	out = w.ModSeq(out, 624140003)
	out = w.Size(out, 44827)
	out = w.InternalDate(out, 837596665, -420)
	out = w.SaveDate(out, 0, 0)
	out = w.SaveDate(out, 837596665, 0)
	out = w.EmailID(out, []byte("M1"))
	out = w.ThreadID(out, nil)
	out = w.ThreadID(out, []byte("T1"))
	out = w.Envelope(out, []byte("(E)"))
	out = w.Structure(out, FetchBody, []byte("(S)"))
	out = w.Structure(out, FetchBodyStructure, []byte("(S)"))
	out = w.Preview(out, nil)
	for i := range f.Items {
		if f.Items[i].Kind == FetchBinarySize {
			out = w.BinarySize(out, &f.Items[i], 9)
			continue
		}
		out = append(w.Section(out, &f.Items[i], 2), "xy"...)
	}
	out = w.End(w.Section(out, &f.Items[0], -1))
	want := "* 12 FETCH (UID 7 FLAGS (\\Seen \\Recent a c) MODSEQ (624140003) RFC822.SIZE 44827 " +
		"INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" SAVEDATE NIL SAVEDATE \"17-Jul-1996 09:44:25 +0000\" EMAILID (M1) THREADID NIL THREADID (T1) " +
		"ENVELOPE (E) BODY (S) BODYSTRUCTURE (S) PREVIEW NIL " +
		"BODY[1.2.HEADER.FIELDS (From \"x y\")]<3> {2}\r\nxy BINARY[1] ~{2}\r\nxy BINARY.SIZE[2] 9 RFC822 {2}\r\nxy RFC822.HEADER {2}\r\nxy RFC822.TEXT {2}\r\nxy BODY[] {2}\r\nxy " +
		"BODY[1.2.HEADER.FIELDS (From \"x y\")]<3> NIL)\r\n"
	if string(out) != want {
		t.Errorf("got\n%s, not\n%s", out, want)
	}
	w.UIDOnly = true
	if got := string(w.End(w.Begin(nil, 5))); got != "* 5 UIDFETCH ()\r\n" {
		t.Errorf("%s", got)
	}
}

func TestResponses(t *testing.T) {
	partial := PartialRange{From: 1, To: 100, FromEnd: true}
	entry := ListEntry{Flags: ListNonExistent | ListSubscribed | UseSent, Separator: '/', Name: []byte("é"), ChildInfo: true, OldName: []byte("old one")}
	lsub := ListEntry{Name: []byte("x"), LSUB: true, Separator: '\\'}
	status := MailboxStatus{Messages: 1, Recent: 2, UIDNext: 3, UIDValidity: 4, Unseen: 5, Deleted: 6, DeletedStorage: 7, Size: 8, HighestModSeq: 9, MailboxID: []byte("F1"), AppendLimit: -1}
	for want, got := range map[string][]byte{
		"a1 OK [COPYUID 1 2:3 4] done\r\n": Reply{Code: CodeCopyUID, Args: []byte("1 2:3 4"), Text: "done"}.Append(nil, []byte("a1")),
		"* BYE [TOOBIG] no\r\n":            Reply{Status: BYE, Code: CodeTooBig, Text: "no"}.Append(nil, nil),
		"* OK [UIDNEXT 5] next\r\n":        AppendNumberCode(nil, CodeUIDNext, 5, "next"),
		"5 1:2":                            AppendAppendUID(nil, 5, SeqSet{Ranges: []Range{{1, 2}}}),
		"* 7 EXISTS\r\n":                   AppendExists(nil, 7),
		"* 7 RECENT\r\n":                   AppendRecent(nil, 7),
		"* 7 EXPUNGE\r\n":                  AppendExpunge(nil, 7),
		"* VANISHED (EARLIER) ":            AppendVanished(nil, true),
		"* VANISHED ":                      AppendVanished(nil, false),
		"* OK [PERMANENTFLAGS (\\Seen a \\*)] flags that can be set\r\n": AppendPermanentFlags(nil, FlagSeen, []string{"a"}, 1, true),
		"* OK [PERMANENTFLAGS (\\*)] flags that can be set\r\n":          AppendPermanentFlags(nil, 0, nil, 0, true),
		"* OK [PERMANENTFLAGS ()] flags that can be set\r\n":             AppendPermanentFlags(nil, 0, nil, 0, false),
		"* OK [INPROGRESS (\"a\" 1 5)] still working\r\n":                AppendInProgress(nil, []byte("a"), 1, 5),
		"* OK [INPROGRESS (\"a\" NIL NIL)] still working\r\n":            AppendInProgress(nil, []byte("a"), 0, 0),
		"* SEARCH 2 3 (MODSEQ 9)\r\n":                                    EndSearch(AppendResult(AppendResult(BeginSearch(nil), 2), 3), 9),
		"* SORT\r\n":                                                     EndSearch(BeginSort(nil), 0),
		"* ESEARCH (TAG \"a\") UID MIN 5":                                AppendESearchNumber(BeginESearch(nil, []byte("a"), true), "MIN", 5),
		" PARTIAL (-1:-100 ":                                             AppendESearchPartial(nil, partial),
		" ADDTO (0 3:4)":                                                 AppendESearchChange(nil, "ADDTO", 0, SeqSet{Ranges: []Range{{3, 4}}}),
		"* LIST (\\NonExistent \\Subscribed \\Sent) \"/\" &AOk- (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"old one\"))\r\n": entry.Append(nil, false),
		"* LSUB () \"\\\\\" x\r\n": lsub.Append(nil, false),
		"* STATUS é (MESSAGES 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 4 UNSEEN 5 DELETED 6 DELETED-STORAGE 7 SIZE 8 HIGHESTMODSEQ 9 MAILBOXID (F1) APPENDLIMIT NIL)\r\n": []byte(strings.Replace(string(status.Append(nil, []byte("é"), 1<<11-1, true)), `"é"`, "é", 1)),
		"* ENABLED CONDSTORE QRESYNC IMAP4rev2\r\n": AppendEnabled(nil, EnabledQResync|EnabledCondStore|EnabledRev2),
	} {
		if string(got) != want {
			t.Errorf("got %q, not %q", got, want)
		}
	}
}

func TestExtendedDataOfListIsOneList(t *testing.T) {
	e := ListEntry{Name: []byte("x"), ChildInfo: true, OldName: []byte("y"), Separator: '/'}
	if got := string(e.Append(nil, false)); got != "* LIST () \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (y))\r\n" {
		t.Errorf("%s", got)
	}
}

// TestEveryCapabilityHasItsName keeps the names in step with the bits.
func TestEveryCapabilityHasItsName(t *testing.T) {
	if capEnd != 1<<len(capNames) {
		t.Fatalf("%d names", len(capNames))
	}
	for bit, want := range map[Caps]string{CapRev1: " IMAP4rev1", CapUnauthenticate: " UNAUTHENTICATE", CapSort: " SORT", CapPartial: " PARTIAL", CapObjectID: " OBJECTID", CapACL: " ACL RIGHTS=texk"} {
		if got := string(bit.Append(nil)); got != want {
			t.Errorf("%s is %s", want, got)
		}
	}
}

func TestURLs(t *testing.T) {
	for in, want := range map[string]URL{
		"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER": {Mailbox: []byte("Drafts"), UIDValidity: 385759045, UID: 20, Section: []byte("HEADER")},
		"/a%2Fb/c/;UID=3":                                      {Mailbox: []byte("a/b/c"), UID: 3},
		"/;UID=30/;SECTION=1.2/;PARTIAL=5.10":                  {UID: 30, Section: []byte("1.2"), PartialOffset: true, Offset: 5, Length: 10},
		"/x/;UID=1/;SECTION=HEADER.FIELDS%20(From)/;PARTIAL=5": {Mailbox: []byte("x"), UID: 1, Section: []byte("HEADER.FIELDS (From)"), PartialOffset: true, Offset: 5},
	} {
		got, fault := ParseURL([]byte(in))
		if fault != "" || string(got.Mailbox) != string(want.Mailbox) || string(got.Section) != string(want.Section) || got.UID != want.UID ||
			got.UIDValidity != want.UIDValidity || got.Offset != want.Offset || got.Length != want.Length || got.PartialOffset != want.PartialOffset {
			t.Errorf("%s is %+v, %s", in, got, fault)
		}
	}
	for _, bad := range []string{"", "/", "x", "imap://host/x/;UID=1", "//;UID=1", "/x", "/x/;UID=0", "/x/;UID=1x", "/x%0/;UID=1", "/x%00/;UID=1", "/x;UID=1", "/x/;UID=1/;PARTIAL=a", "/x/;UID=1/;PARTIAL=1.0", "/x/;UID=1;URLAUTH=x"} {
		if got, fault := ParseURL([]byte(bad)); fault == "" {
			t.Errorf("%s is %+v", bad, got)
		}
	}
}
