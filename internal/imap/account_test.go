package imap

import "testing"

func TestAccountResponses(t *testing.T) {
	var m MetadataWriter
	entries := m.Begin(nil, []byte("INBOX"))
	entries = m.Entry(entries, []byte("/shared/comment"), []byte("My comment"))
	entries = m.Entry(entries, []byte("/private/x"), nil)
	entries = m.End(m.Entry(entries, []byte("/private/y"), []byte("a\x00")))
	changed := m.Begin(nil, nil)
	changed = m.End(m.Changed(changed, []byte("/shared/comment")))
	for want, got := range map[string][]byte{
		"* NAMESPACE ((\"\" \"/\")) ((\"&AOk-/\" \"/\")) NIL\r\n": AppendNamespaces(nil, []Namespace{{nil, '/'}}, []Namespace{{[]byte("é/"), '/'}}, nil, false),
		"* NAMESPACE ((\"\" \"/\")(\"é/\" \"/\")) NIL NIL\r\n":    AppendNamespaces(nil, []Namespace{{nil, '/'}, {[]byte("é/"), '/'}}, nil, nil, true),
		"* ID NIL\r\n": AppendID(nil),
		"* ID (\"name\" \"barid\" \"x\" \"y\")\r\n":                                                     AppendID(nil, "name", "barid", "x", "y"),
		"* QUOTA \"\" (STORAGE 10 512 MESSAGE 20 100)\r\n":                                              AppendQuota(nil, nil, []QuotaResource{{"STORAGE", 10, 512}, {"MESSAGE", 20, 100}}, false),
		"* QUOTAROOT INBOX \"\" x\r\n":                                                                  AppendQuotaRoot(nil, []byte("INBOX"), [][]byte{nil, []byte("x")}, false),
		"* ACL INBOX Fred lrswipkxteacd x lrswitd":                                                      AppendGrant(AppendGrant(BeginACL(nil, []byte("INBOX"), false), []byte("Fred"), AllRights, false), []byte("x"), AllRights&^(virtualCreate|RightExpunge|RightPost|RightAdmin), false),
		"* LISTRIGHTS x smith la r s w i p k x t e c d\r\n":                                             AppendListRights(nil, []byte("x"), []byte("smith"), RightLookup|RightAdmin, AllRights&^RightLookup&^RightAdmin, false),
		"* MYRIGHTS INBOX \"\"\r\n":                                                                     AppendMyRights(nil, []byte("INBOX"), 0, false),
		"* METADATA INBOX (/shared/comment \"My comment\" /private/x NIL /private/y ~{2}\r\na\x00)\r\n": entries,
		"* METADATA \"\" /shared/comment\r\n":                                                           changed,
	} {
		if string(got) != want {
			t.Errorf("got %q, not %q", got, want)
		}
	}
}

// TestThreads has the examples of RFC 5256 section 4.
func TestThreads(t *testing.T) {
	for want, nodes := range map[string][]ThreadNode{
		"* THREAD\r\n": nil,
		"* THREAD (2)(3 6 (4 23)(44 7 96))\r\n": {
			1: {Number: 2, Next: 2}, 2: {Number: 3, Child: 3}, 3: {Number: 6, Child: 4}, 4: {Number: 4, Child: 5, Next: 6}, 5: {Number: 23},
			6: {Number: 44, Child: 7}, 7: {Number: 7, Child: 8}, 8: {Number: 96},
		},
		"* THREAD ((3)(5))\r\n": {1: {Child: 2}, 2: {Number: 3, Next: 3}, 3: {Number: 5}},
	} {
		root := int32(min(len(nodes), 1))
		if got := string(AppendThreads(nil, nodes, root)); got != want {
			t.Errorf("got %q, not %q", got, want)
		}
	}
}

func TestRights(t *testing.T) {
	for in, want := range map[string]string{"": `""`, "lrswikda": "lrswikteacd", "c": "kxc", "d": "ted", "xc": "kxc"} {
		if r, ok := ParseRights([]byte(in)); !ok || string(r.Append(nil)) != want {
			t.Errorf("%s is %s, %v", in, r.Append(nil), ok)
		}
	}
	for _, bad := range []string{"Q", "0", "l r", "+l"} {
		if _, ok := ParseRights([]byte(bad)); ok {
			t.Errorf("%q is known", bad)
		}
	}
}
