package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/deliver"
	"barid/internal/route"
	"barid/internal/vfs"
	"barid/maildir"
)

// whoIsWho is what can change while the server runs: the accounts, the maps,
// and the settings that say how they are read. A value is not changed any
// more once it is in use.
type whoIsWho struct {
	cfg    *config.Config
	auth   *auth.Auth
	router *route.Router
}

func newWhoIsWho(cfg *config.Config, logger *slog.Logger) (*whoIsWho, error) {
	accounts, err := openAccounts(cfg, logger)
	if err != nil {
		return nil, err
	}
	router, err := route.New(routeOptions(cfg, accounts, logger))
	return &whoIsWho{cfg, accounts, router}, err
}

// renew gives what a changed configuration asks for. What it does not touch
// stays, with its memory of passwords and of who failed to log in.
func (w *whoIsWho) renew(cfg *config.Config, logger *slog.Logger) (*whoIsWho, error) {
	changed := slices.ContainsFunc(config.Changed(w.cfg, cfg), func(key string) bool { return strings.HasPrefix(key, "auth.") })
	if changed {
		return newWhoIsWho(cfg, logger)
	}
	if err := w.auth.Reload(); err != nil {
		return nil, err
	}
	router, err := route.New(routeOptions(cfg, w.auth, logger))
	return &whoIsWho{cfg, w.auth, router}, err
}

func openAccounts(cfg *config.Config, logger *slog.Logger) (*auth.Auth, error) {
	accounts, err := auth.Open(authOptions(cfg, logger))
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("auth.file: %w: it has to be readable for user %s", err, userName((*identity)(nil).id()))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("auth.file: %w: is this the right configuration? -c names its file", err)
	}
	return accounts, err
}

// authOptions turns the configuration's zero, which means never, into that of
// package auth, where zero is a default.
func authOptions(cfg *config.Config, logger *slog.Logger) auth.Options {
	a := cfg.Auth
	cleartext, err := auth.ParseCleartext(a.Cleartext)
	if err != nil {
		panic("the configuration knows a word for auth.cleartext that auth does not: " + a.Cleartext)
	}
	return auth.Options{
		File: a.File, FS: vfs.Disk{}, Log: logger, Cleartext: cleartext, DefaultDomain: a.DefaultDomain,
		CacheTTL: orNever(a.CacheTime),
		Lockout: auth.Lockout{
			FailuresMax: orNever(a.FailuresMax), ForgetEvery: a.ForgetInterval, LockFor: a.LockoutTime,
			DelayMax: orNever(a.DelayMax), Exempt: a.LockoutExempt,
		},
	}
}

func orNever[T ~int | ~int64](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

func routeOptions(cfg *config.Config, accounts *auth.Auth, logger *slog.Logger) route.Options {
	return route.Options{
		Domains: cfg.Domains, Hostname: cfg.Hostname, Separators: cfg.Map.Separators, Postmaster: cfg.Postmaster,
		Literal:   func(a netip.Addr) bool { return slices.Contains(hostAddresses(), a) },
		AliasFile: cfg.Map.Alias, VirtualFile: cfg.Map.Virtual, TransportFile: cfg.Map.Transport,
		RelayDomains: cfg.Relay.Domains, RelayRecipientFile: cfg.Relay.RecipientMap,
		SenderFile: cfg.Relay.SenderMap, Smarthost: cfg.Relay.Host, SRS: srsScheme(cfg, logger), Log: logger,
		Account: func(name []byte) (string, bool) {
			a, ok := accounts.Lookup(name)
			return a.Name, ok
		},
		FirstAccount: func() string { return firstAccount(cfg.Auth.File) },
	}
}

// firstAccount is the name on the first line of the account file, "" when
// there is none. It is asked for with each message to postmaster, so it does
// not read the others.
func firstAccount(file string) string {
	f, err := vfs.Disk{}.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, _, ok := strings.Cut(lines.Text(), ":")
		if ok && !strings.HasPrefix(name, "#") {
			return name
		}
	}
	return ""
}

// mailbox gives the mailbox of an account; an error says that its name cannot
// be that of a directory.
func (w *whoIsWho) mailbox(store *maildir.Store, a auth.Account) (maildir.Mailbox, error) {
	if a.Mail != "" {
		return store.Mailbox(a.Mail, w.quota(a)), nil
	}
	path, err := w.cfg.Mailbox.Path(a.Name)
	return store.Mailbox(path, w.quota(a)), err
}

// mailboxOrNone is for those who cannot take an error: no file can be opened
// in the mailbox that it gives instead, for the NUL in its path.
func (w *whoIsWho) mailboxOrNone(store *maildir.Store, a auth.Account) maildir.Mailbox {
	m, err := w.mailbox(store, a)
	if err != nil {
		return store.Mailbox("/\x00", maildir.Quota{})
	}
	return m
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
	return w.mailbox(store, a)
}
