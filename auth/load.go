package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"barid/auth/sasl"
	"barid/internal/vfs"
)

// fileMax is the largest passwd-file in bytes; offsets are 32 bits wide.
const fileMax = 1 << 30

// readText reads a whole file into a string without a second copy.
func readText(fsys vfs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Size()
	if err == nil && size > fileMax {
		err = fmt.Errorf("%s: larger than %d bytes", name, fileMax)
	}
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.Grow(int(size))
	_, err = io.CopyBuffer(&text, io.LimitReader(f, fileMax), make([]byte, 64<<10))
	return text.String(), err
}

// loader gathers what there is to know about a file while its lines go by.
type loader struct {
	*users
	file      string
	memoryMax int64
	works     map[work]int
	scrams    map[work]int
	noScram   bool
	folded    []byte
}

// load reads and indexes the file. Broken lines are a *FileError.
func load(o *Options, file string) (*users, error) {
	text, err := readText(o.FS, file)
	if err != nil {
		return nil, err
	}
	return parse(o, file, text)
}

// parse indexes the text of the file.
func parse(o *Options, file, text string) (*users, error) {
	u := newUsers(text)
	l := loader{users: u, file: file, memoryMax: o.HashMemoryMax, works: map[work]int{}, scrams: map[work]int{}}
	err := l.lines()
	if err != nil {
		return nil, err
	}
	u.scramReady = len(l.scrams) > 0 && !l.noScram
	u.dummy, err = dummyHash(commonest(l.works, defaultWork), o.Random)
	if err != nil {
		return nil, err
	}
	common := commonest(l.scrams, work{rounds: sasl.IterationsMin, saltSize: saltSizeWritten})
	u.fake.iterations, u.fake.saltSize = int(common.rounds), int(common.saltSize)
	u.fake.key = l.fakeKey()
	return u, nil
}

func (l *loader) lines() error {
	for at, number := 0, 1; at < len(l.text); number++ {
		next := len(l.text)
		if i := strings.IndexByte(l.text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		if line := strings.TrimRight(l.text[at:next], "\r\n"); !isComment(line) {
			if err := l.add(line, uint32(at), number); err != nil {
				return &FileError{File: l.file, Line: number, Text: err.Error()}
			}
		}
		at = next
	}
	return nil
}

// add checks one account and puts it into the index.
func (l *loader) add(line string, at uint32, number int) error {
	e, ok := cutEntry(line)
	if !ok {
		return errors.New("no ':' after the user name")
	}
	if err := checkName(e.name); err != nil {
		return err
	}
	l.folded = appendFolded(l.folded[:0], e.name)
	if !l.insert(l.folded, at) {
		return fmt.Errorf("user %s is there twice", l.folded)
	}
	if _, err := e.account(e.foldedName()); err != nil {
		return err
	}
	if nets, ok := e.find("allow_nets"); ok {
		if err := checkNets(nets); err != nil {
			return err
		}
	}
	return l.addPassword(&e, number)
}

// addPassword counts the work of the password. A scheme that we do not know
// or a cost that we refuse to pay shuts out this account only; a hash that is
// damaged condemns the file, which may be half written.
func (l *loader) addPassword(e *entry, number int) error {
	h, err := parseHash(e.password)
	if err == nil && h.memoryBytes() > l.memoryMax {
		err = fmt.Errorf("%w: m=%d", errCostly, h.memoryKiB)
	}
	if errors.Is(err, errMalformed) {
		return err
	}
	if err != nil {
		if !errors.Is(err, errLocked) {
			l.problem(number, e.name, err)
		}
		return nil
	}
	if _, ok := e.find("nologin"); ok {
		return nil
	}
	l.works[h.work]++
	return l.addScram(e, h)
}

// addScram counts the account for or against the offer of SCRAM.
func (l *loader) addScram(e *entry, h hash) error {
	text, extra := e.find(scramField)
	switch {
	case extra:
		s, err := parseScram(text)
		if err != nil {
			return fmt.Errorf("%s: %w", scramField, err)
		}
		l.scrams[s.work]++
	case h.scheme == scramSHA256:
		l.scrams[h.work]++
	case h.scheme == plainText:
		l.scrams[work{rounds: sasl.IterationsMin, saltSize: saltSizeWritten}]++
	default:
		l.noScram = true
	}
	return nil
}

// problemsMax bounds the list of problems; the first are enough to act on.
const problemsMax = 100

func (l *loader) problem(line int, user string, err error) {
	if len(l.problems) < problemsMax {
		l.problems = append(l.problems, Problem{Line: line, User: strings.Clone(user), Text: err.Error()})
	}
}

// commonest is the work that most hashes ask for. Ties are broken by the
// parameters, so that the answer is the same at every reading.
func commonest(works map[work]int, otherwise work) work {
	best, most := otherwise, 0
	for w, n := range works {
		if n > most || n == most && fmt.Sprint(w) < fmt.Sprint(best) {
			best, most = w, n
		}
	}
	return best
}

// fakeKey derives the key of fake salts from the first password hash of the
// file: secret, and the same after a restart, as real salts are.
func (l *loader) fakeKey() [sha256.Size]byte {
	for line := range strings.Lines(l.text) {
		if e, ok := cutEntry(line); ok && !isComment(line) && e.password != "" {
			return sha256.Sum256([]byte("salt of those who do not exist\x00" + e.password))
		}
	}
	return sha256.Sum256([]byte(l.file))
}
