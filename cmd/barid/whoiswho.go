package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/deliver"
	"barid/internal/route"
	"barid/internal/vfs"
	"barid/maildir"
)

// whoIsWho is what can change while the server runs: the accounts, the maps,
// and the settings that say how they are read.
type whoIsWho struct {
	cfg    *config.Config
	auth   *auth.Auth
	router *route.Router
}

func newWhoIsWho(cfg *config.Config, logger *slog.Logger) (w whoIsWho, err error) {
	w.cfg = cfg
	if err := ensureAccountFile(cfg); err != nil {
		return w, err
	}
	if w.auth, err = auth.Open(authOptions(cfg, logger)); err != nil {
		return w, err
	}
	w.router, err = route.New(routeOptions(cfg, w.auth, logger))
	return w, err
}

// renew gives what a changed configuration asks for. What it does not touch
// stays, with its memory of passwords and of who failed to log in.
func (w whoIsWho) renew(cfg *config.Config, logger *slog.Logger) (whoIsWho, error) {
	next := whoIsWho{cfg: cfg, auth: w.auth, router: w.router}
	var err error
	if reflect.DeepEqual(cfg.Auth, w.cfg.Auth) {
		err = w.auth.Reload()
	} else {
		next.auth, err = auth.Open(authOptions(cfg, logger))
	}
	if err != nil {
		return w, err
	}
	next.router, err = route.New(routeOptions(cfg, next.auth, logger))
	if err != nil {
		return w, err
	}
	return next, nil
}

// ensureAccountFile makes an empty file of accounts where there is none, so
// that a new server starts.
func ensureAccountFile(cfg *config.Config) error {
	disk := vfs.Disk{}
	if _, err := disk.Stat(cfg.Auth.File); err == nil {
		return nil
	}
	if err := disk.MkdirAll(filepath.Dir(cfg.Auth.File), 0o755); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	if err := vfs.WriteAtomic(disk, cfg.Auth.File, nil, 0o600); err != nil {
		return fmt.Errorf("accounts: %w; make the first account with: barid user add NAME", err)
	}
	return nil
}

func authOptions(cfg *config.Config, logger *slog.Logger) auth.Options {
	cleartext, err := auth.ParseCleartext(cfg.Auth.Cleartext)
	if err != nil {
		cleartext = auth.Never // the configuration knows these three words only
	}
	a := cfg.Auth
	return auth.Options{
		File: a.File, FS: vfs.Disk{}, Log: logger, Cleartext: cleartext, DefaultDomain: a.DefaultDomain,
		CacheTTL: orNever(a.CacheTime),
		Lockout: auth.Lockout{
			FailuresMax: orNever(a.FailuresMax), ForgetEvery: a.ForgetInterval, LockFor: a.LockoutTime,
			DelayMax: orNever(a.DelayMax), Exempt: a.LockoutExempt,
		},
	}
}

// orNever turns the configuration's zero, which means never, into that of
// package auth.
func orNever[T ~int | ~int64](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

func routeOptions(cfg *config.Config, accounts *auth.Auth, logger *slog.Logger) route.Options {
	return route.Options{
		Domains: cfg.Domains, Hostname: cfg.Hostname, Separators: cfg.Map.Separators, Postmaster: cfg.Postmaster,
		AliasFile: cfg.Map.Alias, VirtualFile: cfg.Map.Virtual, Log: logger,
		Account: func(name []byte) (string, bool) {
			a, ok := accounts.Lookup(name)
			return a.Name, ok
		},
		FirstAccount: func() string {
			list, err := auth.ListUsers(vfs.Disk{}, cfg.Auth.File)
			if err != nil || len(list) == 0 {
				return ""
			}
			return list[0].Name
		},
	}
}

// mailbox gives the mailbox of an account.
func (w *whoIsWho) mailbox(store *maildir.Store, a auth.Account) maildir.Mailbox {
	path := a.Mail
	if path == "" {
		path = mailboxPath(w.cfg.Mailbox.Dir, a.Name)
	}
	return store.Mailbox(path, w.quota(a))
}

// quota is the account's own, or the default one.
func (w *whoIsWho) quota(a auth.Account) maildir.Quota {
	q := maildir.Quota{BytesMax: a.QuotaBytes, MessagesMax: a.QuotaMessages}
	if q == (maildir.Quota{}) {
		q.BytesMax = w.cfg.Mailbox.QuotaDefault
	}
	return q
}

// lookup finds an account's mailbox for delivery.
func (w *whoIsWho) lookup(store *maildir.Store, account []byte) (maildir.Mailbox, error) {
	a, ok := w.auth.Lookup(account)
	if !ok {
		return maildir.Mailbox{}, deliver.ErrNoAccount
	}
	return w.mailbox(store, a), nil
}

// mailboxPath fills in the pattern of mailbox.dir. Names of accounts come
// from the account file, but no name may lead out of its directory.
func mailboxPath(pattern, account string) string {
	local, domain, _ := strings.Cut(account, "@")
	clean := func(s string) string {
		s = strings.ReplaceAll(s, "/", "_")
		if strings.HasPrefix(s, ".") {
			s = "_" + s[1:]
		}
		return s
	}
	return strings.NewReplacer("%u", clean(account), "%n", clean(local), "%d", clean(domain), "%%", "%").Replace(pattern)
}
