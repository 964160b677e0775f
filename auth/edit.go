package auth

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"barid/internal/vfs"
)

// Errors of the editing functions.
var (
	ErrNoUser     = errors.New("no such user")
	ErrUserExists = errors.New("user exists already")
)

// NewUser is an account to add.
type NewUser struct {
	Name  string
	Home  string   // may be empty
	Extra []string // extra fields, "key=value" or "key"
}

// AddUser appends an account to the passwd-file, which is made (mode 0600)
// when it is missing. Like all editing functions it changes nothing else in
// the file, holds the lock FILE.lock meanwhile, refuses to touch a file that
// is broken (*FileError), and is durable when it returns nil.
func AddUser(fsys vfs.FS, file string, user NewUser, password []byte, o HashOptions) error {
	s, err := newSecret(password, o)
	if err != nil {
		return err
	}
	extra := user.Extra
	if s.scram != "" {
		extra = append(slices.Clone(extra), scramField+"="+s.scram)
	}
	for _, field := range append(slices.Clone(extra), user.Home) {
		if strings.ContainsAny(field, " \t\r\n") || field == user.Home && strings.Contains(field, ":") {
			return fmt.Errorf("%q does not fit into a passwd-file", field)
		}
	}
	line := user.Name + ":" + s.field + "::::" + user.Home + "::" + strings.Join(extra, " ")
	return edit(fsys, file, func(u *users) (string, error) {
		if err := checkName(user.Name); err != nil {
			return "", err
		}
		if _, _, found := u.find(appendFolded(nil, user.Name)); found {
			return "", fmt.Errorf("%s: %w", user.Name, ErrUserExists)
		}
		text := u.text
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + strings.TrimRight(line, ":") + "\n", nil
	})
}

// SetPassword gives an account a new password. An account that had SCRAM
// credentials gets new ones, asked for or not.
func SetPassword(fsys vfs.FS, file, name string, password []byte, o HashOptions) error {
	return editLine(fsys, file, name, func(line string) (string, error) {
		e, _ := cutEntry(line)
		h, _ := parseHash(e.password)
		o.SCRAM = o.SCRAM || h.scheme == plainText || e.scramText() != ""
		s, err := newSecret(password, o)
		return withSecret(line, &e, s), err
	})
}

// DeleteUser removes an account's line.
func DeleteUser(fsys vfs.FS, file, name string) error {
	return editLine(fsys, file, name, func(string) (string, error) { return "", nil })
}

// withSecret puts a new secret into a line and leaves all else as it is.
func withSecret(line string, e *entry, s secret) string {
	field := strings.SplitN(line, ":", 8)
	field[1] = s.field
	extra := withoutExtra(e.extra, scramField)
	if e.oldMail != "" {
		extra = "userdb_mail=" + e.oldMail
	}
	if s.scram != "" {
		extra = strings.TrimLeft(extra+" "+scramField+"="+s.scram, " ")
	}
	if extra == "" && len(field) < 8 {
		return strings.Join(field, ":")
	}
	for len(field) < 8 {
		field = append(field, "")
	}
	field[7] = extra
	return strings.Join(field, ":")
}

// withoutExtra drops the extra fields with this key.
func withoutExtra(list, key string) string {
	fields := strings.Split(list, " ")
	fields = slices.DeleteFunc(fields, func(field string) bool {
		k, _, _ := strings.Cut(field, "=")
		return k == key
	})
	return strings.Join(fields, " ")
}

// editLine replaces the line of one account; an empty one removes it.
func editLine(fsys vfs.FS, file, name string, change func(line string) (string, error)) error {
	return edit(fsys, file, func(u *users) (string, error) {
		line, at, found := u.find(appendFolded(nil, name))
		if !found {
			return "", fmt.Errorf("%s: %w", name, ErrNoUser)
		}
		changed, err := change(line)
		rest := u.text[int(at)+len(line):]
		if changed == "" {
			rest = strings.TrimPrefix(strings.TrimPrefix(rest, "\r"), "\n")
		}
		return u.text[:at] + changed + rest, err
	})
}

// edit replaces the text of the file under its lock.
func edit(fsys vfs.FS, file string, change func(u *users) (string, error)) error {
	file, before, err := realFile(fsys, file)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	lock, err := waitForLock(fsys, file+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	o := Options{FS: fsys}
	o.setDefaults()
	u, perm := newUsers(""), fs.FileMode(0o600)
	if !missing {
		perm = before.Mode().Perm()
		if u, err = load(&o, file); err != nil {
			return err
		}
	}
	text, err := change(u)
	if err != nil {
		return err
	}
	if _, err := parse(&o, file, text); err != nil {
		return fmt.Errorf("not changed, it would become %w", err)
	}
	if err := vfs.WriteAtomic(fsys, file, []byte(text), perm); err != nil {
		return err
	}
	return keepOwner(fsys, file, before)
}

// lockPatience is how long an edit waits for another.
const lockPatience = 10 * time.Second

// waitForLock takes the lock; an edit takes some 50 ms, mostly for hashing.
func waitForLock(fsys vfs.FS, name string) (io.Closer, error) {
	const pause = 20 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		lock, err := fsys.Lock(name)
		if !errors.Is(err, vfs.ErrLocked) || waited >= lockPatience {
			return lock, err
		}
		time.Sleep(pause)
	}
}

// ownable is a file system with owners and modes: vfs.Disk.
type ownable interface {
	SetOwner(name string, uid, gid int) error
	SetMode(name string, perm fs.FileMode) error
}

// keepOwner gives the new file to the owner of the old one: it belongs to
// whoever wrote it, which the server cannot read when that was root. A crash
// before this leaves a server with the accounts that it had.
func keepOwner(fsys vfs.FS, file string, before fs.FileInfo) error {
	disk, ok := fsys.(ownable)
	if before == nil || !ok {
		return nil
	}
	after, err := fsys.Stat(file)
	if err != nil {
		return err
	}
	was, ok := before.Sys().(*syscall.Stat_t)
	is, ok2 := after.Sys().(*syscall.Stat_t)
	if ok && ok2 && (was.Uid != is.Uid || was.Gid != is.Gid) {
		if err := disk.SetOwner(file, int(was.Uid), int(was.Gid)); err != nil {
			return fmt.Errorf("changed, but not given back to its owner: %w", err)
		}
	}
	if before.Mode().Perm() != after.Mode().Perm() {
		return disk.SetMode(file, before.Mode().Perm())
	}
	return nil
}

// Listed is one line of a listing.
type Listed struct {
	Account
	Line      int
	Scheme    string // of the password, "ARGON2ID" for example; "" when it cannot be used
	SCRAM     bool   // has SCRAM credentials, or a password that they can be made of
	AllowNets string // allow_nets, "" when there is none
	NoLogin   bool
}

// ListUsers returns all accounts in the order of the file. It fails where
// Open would.
func ListUsers(fsys vfs.FS, file string) ([]Listed, error) {
	o := Options{FS: fsys}
	o.setDefaults()
	u, err := load(&o, file)
	if err != nil {
		return nil, err
	}
	var all []Listed
	number := 0
	for line := range strings.Lines(u.text) {
		number++
		if line = strings.TrimRight(line, "\r\n"); !isComment(line) {
			all = append(all, listed(line, number))
		}
	}
	return all, nil
}

func listed(line string, number int) Listed {
	e, _ := cutEntry(line)
	l := Listed{Line: number}
	l.Account, _ = e.account(e.foldedName())
	if h, err := parseHash(e.password); err == nil {
		l.Scheme = h.scheme.String()
	}
	l.SCRAM = l.Scheme == plainText.String() || e.scramText() != ""
	l.AllowNets, _ = e.find("allow_nets")
	_, l.NoLogin = e.find("nologin")
	return l
}

// Check reads a passwd-file as Open does and says what is wrong with it: a
// broken file is an error, accounts that cannot log in are problems.
func Check(o Options) ([]Problem, error) {
	o.setDefaults()
	u, err := load(&o, o.File)
	if err != nil {
		return nil, err
	}
	return u.problems, nil
}
