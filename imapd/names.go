package imapd

import (
	"bytes"
	"strings"

	"barid/internal/imap"
	"barid/maildir"
)

// Names of mailboxes are in UTF-8, with the separator of the postmaster's
// choice. Names of folders are as Maildir++ has them: levels in modified UTF-7,
// separated by dots. Each name has one folder and each folder one name; folders
// that break this (other programs have named them) are not shown.
//
// INBOX is the mailbox itself.

const inbox = "INBOX"

// folderOf gives the folder for a mailbox name. ok is false when there can be
// none, for which the client gets refuseName.
func (s *server) folderOf(name []byte) (folder string, ok bool) {
	if string(name) == inbox {
		return maildir.Inbox, true
	}
	if len(name) == 0 || s.Separator != '.' && bytes.IndexByte(name, '.') >= 0 || bytes.IndexByte(name, '/') >= 0 && s.Separator != '/' {
		return "", false
	}
	encoded := imap.AppendUTF7(make([]byte, 0, len(name)), name)
	if s.Separator == '/' {
		for i, b := range encoded {
			if b == '/' {
				encoded[i] = '.'
			}
		}
	}
	folder = string(encoded)
	return folder, len(folder) <= folderNameMax && maildir.FolderName(folder) && !strings.EqualFold(folder, inbox)
}

// folderNameMax is how long a folder's name may be: it is the name of a
// directory, with a dot before it.
const folderNameMax = 254

// nameOf gives the mailbox name of a folder; ok is false for one that no client
// could ask for.
func (s *server) nameOf(folder string) (name []byte, ok bool) {
	if folder == maildir.Inbox {
		return []byte(inbox), true
	}
	name, ok = imap.AppendFromUTF7(nil, []byte(folder))
	if !ok {
		return nil, false
	}
	if s.Separator == '/' {
		if bytes.IndexByte(name, '/') >= 0 {
			return nil, false
		}
		for i, b := range name {
			if b == '.' {
				name[i] = '/'
			}
		}
	}
	again, ok := s.folderOf(name)
	return name, ok && again == folder
}

// refuseName is the reply to a name that no mailbox can have.
func refuseName() imap.Reply { return refuse(imap.CodeCannot, "no mailbox can have this name") }

// withoutEnd drops a separator at the end of a name: the client says with it
// that it is going to create mailboxes below (RFC 9051 6.3.4), which it may
// anyway.
func (s *server) withoutEnd(name []byte) []byte {
	return bytes.TrimSuffix(name, []byte{s.Separator})
}
