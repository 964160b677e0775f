package maildir

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strconv"

	"barid/internal/vfs"
	"barid/internal/watch"
)

// ErrKeywords says that a folder has as many keywords as it can have.
var ErrKeywords = errors.New("the folder has no room for another keyword")

// keywordsFile is what a folder knows of its dovecot-keywords:
//
//	file = *( number SP name LF )       ; 0 is the letter "a"
type keywordsFile struct {
	names []string // by number; "" for one that has no name
	stamp watch.Stamp
}

const keywordsBytesMax = 64 << 10

func (f *Folder) keywordsPath() string { return f.path + "/dovecot-keywords" }

// refreshKeywords reads dovecot-keywords if it has changed.
func (f *Folder) refreshKeywords() error {
	info, err := f.store().fs.Stat(f.keywordsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // what we know may have its letters in names all the same
	}
	if err != nil || watch.StampOf(info) == f.keywords.stamp {
		return err
	}
	text, err := vfs.ReadFile(f.store().fs, f.keywordsPath(), keywordsBytesMax)
	if err != nil {
		return err
	}
	names := parseKeywords(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(names, f.keywords.names) {
		f.keywords.names = names
		f.logKeywords()
	}
	f.keywords.stamp = watch.StampOf(info)
	return nil
}

// logKeywords appends the frame for the keywords. mu is held.
func (f *Folder) logKeywords() {
	f.logFrame(frameKeywords, func(dst []byte) []byte {
		for _, k := range f.keywords.names {
			dst = appendShort(dst, k)
		}
		return dst
	})
}

func parseKeywords(text []byte) []string {
	var names []string
	for line := range bytes.SplitSeq(text, newline) {
		n, length := number(line)
		if length == 0 || n >= KeywordsMax || length+1 >= len(line) || line[length] != ' ' {
			continue
		}
		for len(names) <= int(n) {
			names = append(names, "")
		}
		names[n] = string(line[length+1:])
	}
	return names
}

// Keywords are the names of the folder's keywords by bit; "" where a bit has
// none. They change only by getting more. The slice must not be modified.
func (f *Folder) Keywords() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.keywords.names
}

// KeywordFlags returns the bits of keywords by name, letter case ignored. Those
// that the folder does not have yet are added, which is durable at once, or,
// without add, left out. ErrKeywords when there is no room; flags then has
// those that do exist.
func (f *Folder) KeywordFlags(names []string, add bool) (flags Flags, err error) {
	missing := false
	for _, name := range names {
		bit := keywordBit(f.Keywords(), name)
		flags |= bit
		missing = missing || bit == 0
	}
	if !missing || !add {
		return flags, nil
	}
	f.work.Lock()
	defer f.unlockWork()
	return f.addKeywords(names)
}

func keywordBit(known []string, name string) Flags {
	for i, k := range known {
		if len(k) == len(name) && bytes.EqualFold([]byte(k), []byte(name)) {
			return 1 << i
		}
	}
	return 0
}

// addKeywords is KeywordFlags for whoever holds f.work.
func (f *Folder) addKeywords(names []string) (flags Flags, err error) {
	if err := f.alive(); err != nil {
		return 0, err
	}
	unlock, err := f.mailbox.dotlock(f.keywordsPath())
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := f.refreshKeywords(); err != nil {
		return 0, err
	}
	var full error
	all := slices.Clone(f.keywords.names)
	for _, name := range names {
		bit := keywordBit(all, name)
		switch {
		case bit != 0:
		default:
			free := f.freeKeyword(all)
			if free < 0 {
				full = ErrKeywords
				continue
			}
			for len(all) <= free {
				all = append(all, "")
			}
			all[free], bit = name, 1<<free
		}
		flags |= bit
	}
	if slices.Equal(all, f.keywords.names) {
		return flags, full
	}
	if err := f.writeKeywords(all); err != nil {
		return 0, err
	}
	return flags, full
}

// freeKeyword is a number without a name, of a letter that no message has if
// there is one: a file that was lost may have named it. -1: there is none.
func (f *Folder) freeKeyword(names []string) int {
	var used Flags
	f.mu.RLock()
	for i := range f.messages {
		used |= f.diskFlags(&f.messages[i])
	}
	f.mu.RUnlock()
	found := -1
	for i := KeywordsMax - 1; i >= 0; i-- {
		if i < len(names) && names[i] != "" {
			continue
		}
		if used&(1<<i) == 0 || found < 0 {
			found = i
		}
	}
	return found
}

func (f *Folder) writeKeywords(names []string) error {
	var text []byte
	for i, name := range names {
		if name != "" {
			text = append(append(strconv.AppendInt(text, int64(i), 10), ' '), name...)
			text = append(text, '\n')
		}
	}
	if err := vfs.WriteAtomic(f.store().fs, f.keywordsPath(), text, 0o600); err != nil {
		return err
	}
	stamp := watch.Stamp{}
	if info, err := f.store().fs.Stat(f.keywordsPath()); err == nil {
		stamp = watch.StampOf(info)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keywords = keywordsFile{names: names, stamp: stamp}
	f.logKeywords()
	return nil
}
