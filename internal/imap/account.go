package imap

import "strconv"

// Namespace is a part of the names of mailboxes (RFC 9051 6.3.10).
type Namespace struct {
	Prefix    []byte // in UTF-8
	Separator byte
}

// AppendNamespaces appends a NAMESPACE response: those of the user, those of
// other users, and those that are shared. utf8 as in Enabled.UTF8.
func AppendNamespaces(out []byte, personal, others, shared []Namespace, utf8 bool) []byte {
	out = append(out, "* NAMESPACE"...)
	out = appendNamespace(out, personal, utf8)
	out = appendNamespace(out, others, utf8)
	out = appendNamespace(out, shared, utf8)
	return append(out, "\r\n"...)
}

func appendNamespace(out []byte, all []Namespace, utf8 bool) []byte {
	if len(all) == 0 {
		return append(out, " NIL"...)
	}
	out = append(out, " ("...)
	for _, n := range all {
		prefix := n.Prefix
		if !utf8 {
			prefix = AppendUTF7(nil, prefix)
		}
		out = AppendString(append(out, '('), prefix, utf8)
		out = AppendQuoted(append(out, ' '), []byte{n.Separator})
		out = append(out, ')')
	}
	return append(out, ')')
}

// AppendID appends an ID response: names and values, an even number of them;
// none is NIL (RFC 2971 3.2).
func AppendID(out []byte, pairs ...string) []byte {
	out = append(out, "* ID "...)
	if len(pairs) == 0 {
		return append(out, "NIL\r\n"...)
	}
	for i, s := range pairs {
		if i == 0 {
			out = append(out, '(')
		} else {
			out = append(out, ' ')
		}
		out = AppendString(out, []byte(s), false)
	}
	return append(out, ")\r\n"...)
}

// QuotaResource is what is used of a resource, and its limit (RFC 9208 section
// 5): STORAGE in units of 1024 octets, others in pieces.
type QuotaResource struct {
	Name         string
	Usage, Limit int64
}

// AppendQuota appends a QUOTA response (RFC 9208 4.2.1).
func AppendQuota(out, root []byte, resources []QuotaResource, utf8 bool) []byte {
	out = AppendAString(append(out, "* QUOTA "...), root, utf8)
	out = append(out, " ("...)
	for i, r := range resources {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, r.Name...)
		out = appendNumber(out, uint64(r.Usage))
		out = appendNumber(out, uint64(r.Limit))
	}
	return append(out, ")\r\n"...)
}

// AppendQuotaRoot appends a QUOTAROOT response (RFC 9208 4.2.2).
func AppendQuotaRoot(out, mailbox []byte, roots [][]byte, utf8 bool) []byte {
	out = AppendMailbox(append(out, "* QUOTAROOT "...), mailbox, utf8)
	for _, root := range roots {
		out = AppendAString(append(out, ' '), root, utf8)
	}
	return append(out, "\r\n"...)
}

// BeginACL begins an ACL response; AppendGrant adds identifiers with their
// rights, and CRLF ends it (RFC 4314 3.6).
func BeginACL(out, mailbox []byte, utf8 bool) []byte {
	return AppendMailbox(append(out, "* ACL "...), mailbox, utf8)
}

// AppendGrant appends an identifier and its rights.
func AppendGrant(out, identifier []byte, rights Rights, utf8 bool) []byte {
	out = AppendAString(append(out, ' '), identifier, utf8)
	return rights.Append(append(out, ' '))
}

// AppendListRights appends a LISTRIGHTS response (RFC 4314 3.7): the rights
// that the identifier always has, and those that it can be given, each by
// itself.
func AppendListRights(out, mailbox, identifier []byte, always, may Rights, utf8 bool) []byte {
	out = AppendMailbox(append(out, "* LISTRIGHTS "...), mailbox, utf8)
	out = AppendAString(append(out, ' '), identifier, utf8)
	out = always.Append(append(out, ' '))
	for i := range len(rightLetters) {
		if may&(1<<i) != 0 {
			out = append(out, ' ', rightLetters[i])
		}
	}
	if may&virtualCreate != 0 {
		out = append(out, " c"...)
	}
	if may&virtualDelete != 0 {
		out = append(out, " d"...)
	}
	return append(out, "\r\n"...)
}

// AppendMyRights appends a MYRIGHTS response (RFC 4314 3.8).
func AppendMyRights(out, mailbox []byte, rights Rights, utf8 bool) []byte {
	out = AppendMailbox(append(out, "* MYRIGHTS "...), mailbox, utf8)
	return append(rights.Append(append(out, ' ')), "\r\n"...)
}

// A MetadataWriter appends METADATA responses (RFC 5464 4.4). The zero value is
// for a client of RFC 3501.
type MetadataWriter struct {
	// UTF8 as in Enabled.UTF8.
	UTF8 bool
	some bool
}

// Begin begins a response about a mailbox, or about the server when the name
// is empty. Entries with values follow.
func (w *MetadataWriter) Begin(out, mailbox []byte) []byte {
	w.some = false
	return AppendMailbox(append(out, "* METADATA "...), mailbox, w.UTF8)
}

// Entry appends an entry and its value; nil is NIL. A value that holds NUL
// becomes a literal8.
func (w *MetadataWriter) Entry(out, name, value []byte) []byte {
	if w.some {
		out = append(out, ' ')
	} else {
		out = append(out, " ("...)
	}
	w.some = true
	out = AppendAString(out, name, w.UTF8)
	out = append(out, ' ')
	for _, c := range value {
		if c == 0 {
			return append(AppendLiteral8(out, int64(len(value))), value...)
		}
	}
	return AppendNString(out, value, w.UTF8)
}

// Changed appends the name of an entry that has changed, in a response that
// nobody has asked for (RFC 5464 4.4.2).
func (w *MetadataWriter) Changed(out, name []byte) []byte {
	return AppendAString(append(out, ' '), name, w.UTF8)
}

// End ends the response. One without entries must not be begun.
func (w *MetadataWriter) End(out []byte) []byte {
	if w.some {
		out = append(out, ')')
	}
	return append(out, "\r\n"...)
}

// ThreadNode is a message in a tree of threads. Nodes refer to each other by
// their index; 0 refers to none, so that the first node of all is not used.
type ThreadNode struct {
	Number uint32 // message number or UID; 0: the message is not there
	Child  int32  // the first answer
	Next   int32  // the next answer to the same message
}

// AppendThreads appends a THREAD response: the threads whose first messages
// are root and what follows it with Next (RFC 5256 section 4).
//
//	thread-data    = "THREAD" [SP 1*thread-list]    ; RFC 5256 section 5
//	thread-list    = "(" (thread-members / thread-nested) ")"
//	thread-members = nz-number *(SP nz-number) [SP thread-nested]
//	thread-nested  = 2*thread-list
func AppendThreads(out []byte, nodes []ThreadNode, root int32) []byte {
	out = append(out, "* THREAD"...)
	if root != 0 {
		out = appendThreadLists(append(out, ' '), nodes, root)
	}
	return append(out, "\r\n"...)
}

// appendThreadLists appends a list for each of the nodes from n on. It calls
// itself where a message has several answers, not for each answer.
func appendThreadLists(out []byte, nodes []ThreadNode, n int32) []byte {
	for ; n != 0; n = nodes[n].Next {
		out = append(out, '(')
		first := true
		for at := n; at != 0; at = nodes[at].Child {
			if nodes[at].Number != 0 {
				if !first {
					out = append(out, ' ')
				}
				first = false
				out = strconv.AppendUint(out, uint64(nodes[at].Number), 10)
			}
			child := nodes[at].Child
			if child == 0 || nodes[child].Next == 0 {
				continue
			}
			if !first {
				out = append(out, ' ')
			}
			out = appendThreadLists(out, nodes, child)
			break
		}
		out = append(out, ')')
	}
	return out
}
