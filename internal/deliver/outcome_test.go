package deliver

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"barid/maildir"
	"barid/spool"
)

func TestErrorsBecomeOutcomesThatNameNoFile(t *testing.T) {
	disk := func(errno syscall.Errno) error {
		return &fs.PathError{Op: "open", Path: "/secret/path", Err: errno}
	}
	for _, c := range []struct {
		err       error
		overQuota spool.Kind
		kind      spool.Kind
		status    string
	}{
		{nil, spool.Unset, spool.Delivered, "2.0.0"},
		{fmt.Errorf("users: %w", ErrNoAccount), spool.Unset, spool.Failed, "5.1.1"},
		{maildir.ErrOverQuota, spool.Unset, spool.Deferred, "4.2.2"},
		{maildir.ErrOverQuota, spool.Failed, spool.Failed, "5.2.2"},
		{disk(syscall.EDQUOT), spool.Failed, spool.Deferred, "4.2.2"},
		{disk(syscall.ENOSPC), spool.Unset, spool.Deferred, "4.3.1"},
		{disk(syscall.EACCES), spool.Unset, spool.Deferred, "4.2.0"},
		{disk(syscall.EIO), spool.Unset, spool.Deferred, "4.2.0"},
		{&bodyError{disk(syscall.EIO)}, spool.Unset, spool.Deferred, "4.3.0"},
		{&bodyError{spool.ErrDamaged}, spool.Unset, spool.Failed, "5.3.0"},
		{errors.New("/secret/path: no idea"), spool.Unset, spool.Deferred, "4.2.0"},
	} {
		got := New(Options{OverQuota: c.overQuota}).outcome(c.err)
		if got.Kind != c.kind || got.Status != c.status {
			t.Errorf("%v: %v %s, want %v %s", c.err, got.Kind, got.Status, c.kind, c.status)
		}
		if strings.Contains(got.Text, "secret") {
			t.Errorf("%v: the sender could read %q", c.err, got.Text)
		}
		if first := map[spool.Kind]byte{spool.Delivered: '2', spool.Deferred: '4', spool.Failed: '5'}[got.Kind]; got.Status[0] != first {
			t.Errorf("%v: status %s for %v", c.err, got.Status, got.Kind)
		}
	}
}

func TestFrontHoldsWhatFinalDeliveryOwes(t *testing.T) {
	for _, c := range []struct{ from, address, original, want string }{
		{"a@b.example", "alice@example.test", "", "Return-Path: <a@b.example>\nDelivered-To: alice@example.test\n"},
		{"", "alice@example.test", "alice@example.test", "Return-Path: <>\nDelivered-To: alice@example.test\n"},
		{"", "alice@example.test", "root@example.test", "Return-Path: <>\nX-Original-To: root@example.test\nDelivered-To: alice@example.test\n"},
		{"a\n\nb", "c\rd\x00", "", "Return-Path: <a??b>\nDelivered-To: c?d?\n"},
	} {
		r := spool.Recipient{Address: []byte(c.address), Original: []byte(c.original)}
		if got := string(appendFront(nil, []byte(c.from), &r)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
