package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"

	"barid/internal/addr"
	"barid/internal/config"
	"barid/internal/vfs"
	"barid/spool"
)

// While no server answers, and the spool is not ours to open, sendmail drops
// messages into a directory from which the server picks them up (pickup.go).
// Everybody may put a file there and nobody but the server's user may list
// it: who cannot guess a file's name, of 128 random bits, cannot read it either.
// The server tells by the file's owner who sends.
//
//	file     = envelope LF text
//	envelope = JSON, of dropFile
//	text     = *( line LF )       ; the message, as it will be stored

func dropDir(cfg *config.Config) string { return filepath.Join(cfg.Data.Dir, "drop") }

// badDir is where files go that are no messages.
func badDir(cfg *config.Config) string { return filepath.Join(dropDir(cfg), "bad") }

const (
	dropMode     = fs.ModeSticky | 0o733
	dropFileMode = 0o644
	dropVersion  = 1
	dropLineMax  = 4 << 20 // of the envelope, in octets
	dropTemp     = "."     // what the names of unfinished files begin with
)

// dropTextMax is how large a text may be to be left, in octets.
func dropTextMax(cfg *config.Config) int64 {
	const most = 256 << 20
	if max := cfg.Message.SizeMax; max > 0 && max < most {
		return max
	}
	return most
}

// dropFile is a message as it lies in the directory.
type dropFile struct {
	Version    int      `json:"version"`
	Octets     int      `json:"octets"` // of the text; less are there when the machine went down
	Sender     string   `json:"sender"` // "" for none
	Recipients []string `json:"recipients"`
	Notify     string   `json:"notify,omitempty"` // as in NOTIFY=, RET= and ENVID= of RFC 3461
	Ret        string   `json:"ret,omitempty"`
	EnvelopeID string   `json:"envelope_id,omitempty"`

	text []byte
}

// dropMessage leaves a message for the server. It is on stable storage when
// that returns nil.
func dropMessage(cfg *config.Config, m *submission) error {
	if int64(len(m.text)) > dropTextMax(cfg) {
		return exitWith(exitTempFail, "the mail server does not run, and the message is too large to be left for it: %d octets", len(m.text))
	}
	dir, name := dropDir(cfg), rand.Text()
	temporary, final := filepath.Join(dir, dropTemp+name), filepath.Join(dir, name)
	disk := vfs.Disk{}
	err := writeDropped(temporary, m)
	if err == nil {
		err = disk.Rename(temporary, final)
	}
	if err != nil {
		_ = disk.Remove(temporary) // the server removes what is left behind
		return dropFailed(err)
	}
	// The directory is not ours to sync. A server may have been quicker.
	if err := disk.SyncAll(final); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return exitWith(exitIOErr, "the message may be lost if the machine goes down now: %w", err)
	}
	return nil
}

// dropFailed finds the exit code for what kept a message from being left.
func dropFailed(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return exitWith(exitTempFail, "the mail server does not run, and has never run here (start it with 'barid serve', or try again later): %w", err)
	case errors.Is(err, fs.ErrPermission):
		return exitWith(exitNoPerm, "the mail server does not run, and messages cannot be left for it: %w", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return exitWith(exitTempFail, "the mail server does not run, and there is no room to leave a message for it: %w", err)
	}
	return exitWith(exitCantCreate, "the mail server does not run, and the message cannot be left for it: %w", err)
}

func writeDropped(name string, m *submission) error {
	d := dropFile{
		Version: dropVersion, Octets: len(m.text), Sender: m.sender, Recipients: m.recipients,
		Notify: m.notify, Ret: m.ret, EnvelopeID: m.envid,
	}
	envelope, err := json.Marshal(&d)
	if err != nil {
		panic("an envelope cannot be put as JSON: " + err.Error())
	}
	disk := vfs.Disk{}
	f, err := disk.Create(name, dropFileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := disk.SetMode(name, dropFileMode); err != nil { // whatever the umask
		return err
	}
	for _, piece := range [][]byte{envelope, {'\n'}, m.text} {
		if _, err := f.Write(piece); err != nil {
			return err
		}
	}
	return f.Sync()
}

var errNoDropped = errors.New("it is not what sendmail leaves")

// parseDropped reads a file, which anybody can have made.
func parseDropped(file []byte) (*dropFile, error) {
	line, text, ok := bytes.Cut(file, []byte{'\n'})
	d := new(dropFile)
	if !ok || len(line) > dropLineMax || json.Unmarshal(line, d) != nil {
		return nil, errNoDropped
	}
	switch {
	case d.Version != dropVersion:
		return nil, fmt.Errorf("its version is %d and not %d", d.Version, dropVersion)
	case d.Octets != len(text):
		return nil, fmt.Errorf("it breaks off: %d octets of %d are there", len(text), d.Octets)
	case len(d.Recipients) == 0:
		return nil, errors.New("it has no recipients")
	case len(d.Recipients) > spool.RecipientsMax:
		return nil, errors.New("it has too many recipients")
	}
	for _, s := range append([]string{d.Sender, d.EnvelopeID}, d.Recipients...) {
		if len(s) > addressTextMax || strings.ContainsFunc(s, unicode.IsControl) {
			return nil, fmt.Errorf("%.100q cannot be in an envelope", s)
		}
	}
	if d.Sender != "" {
		if _, err := addr.Append(nil, []byte(d.Sender)); err != nil {
			return nil, fmt.Errorf("its sender %q: %w", d.Sender, err)
		}
	}
	if _, err := parseNotify(d.Notify); err != nil {
		return nil, err
	}
	if _, err := parseRet(d.Ret); err != nil {
		return nil, err
	}
	d.text = text
	return d, nil
}

// addressTextMax is more than any address or envelope id needs, in octets.
const addressTextMax = 1000

// parseNotify reads what -N and NOTIFY= take.
//
//	notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"      ; RFC 3461 4.1
//	notify-esmtp-value  = "NEVER" / 1#notify-list-element
func parseNotify(s string) (n spool.Notify, err error) {
	if s == "" {
		return 0, nil
	}
	for word := range strings.SplitSeq(strings.ToLower(s), ",") {
		switch word {
		case "never":
			n |= spool.NotifyNever
		case "success":
			n |= spool.NotifySuccess
		case "failure":
			n |= spool.NotifyFailure
		case "delay":
			n |= spool.NotifyDelay
		default:
			return 0, fmt.Errorf("%q is neither never nor some of success,failure,delay", s)
		}
	}
	if n&spool.NotifyNever != 0 && n != spool.NotifyNever {
		return 0, fmt.Errorf("%q: never goes with nothing else", s)
	}
	return n, nil
}

// parseRet reads what -R and RET= take (RFC 3461 4.3).
func parseRet(s string) (spool.Ret, error) {
	switch strings.ToLower(s) {
	case "":
		return spool.RetUnset, nil
	case "full":
		return spool.RetFull, nil
	case "hdrs":
		return spool.RetHeaders, nil
	}
	return 0, fmt.Errorf("%q is neither full nor hdrs", s)
}
