package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"

	"barid/internal/vfs"
)

// nextValidity returns a UIDVALIDITY above beyond that no folder of the mailbox
// has had: the time in seconds, or one more than the last. The last is what
// dovecot-uidvalidity holds, in 8 hexadecimal digits; Dovecot also wants it in
// the name of an empty file.
func (m Mailbox) nextValidity(beyond uint32) (uint32, error) {
	s := m.store
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	name := m.path + "/dovecot-uidvalidity"
	text, err := vfs.ReadFile(s.fs, name, 64)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	last, err := strconv.ParseUint(string(text[:min(8, len(text))]), 16, 32)
	if err != nil {
		last = m.namedValidity()
	}
	next := uint32(min(max(s.now().Unix(), int64(last)+1, int64(beyond)+1), math.MaxUint32))
	if err := vfs.WriteAtomic(s.fs, name, fmt.Appendf(nil, "%08x", next), 0o600); err != nil {
		return 0, err
	}
	named := fmt.Sprintf("%s.%08x", name, next)
	if err := s.fs.Rename(fmt.Sprintf("%s.%08x", name, last), named); err != nil {
		err = s.touch(named)
		if err != nil {
			return 0, err
		}
	}
	return next, nil
}

// namedValidity is the highest UIDVALIDITY in the name of a file.
func (m Mailbox) namedValidity() (last uint64) {
	entries, err := m.store.fs.ReadDir(m.path)
	if err != nil {
		return 0
	}
	const prefix = "dovecot-uidvalidity."
	for _, e := range entries {
		if name := e.Name(); len(name) == len(prefix)+8 && name[:len(prefix)] == prefix {
			if n, err := strconv.ParseUint(name[len(prefix):], 16, 32); err == nil {
				last = max(last, n)
			}
		}
	}
	return last
}
