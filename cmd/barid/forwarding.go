package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"

	"barid/internal/addr"
	"barid/internal/config"
	"barid/internal/srs"
	"barid/internal/vfs"
)

// secretsSizeMax bounds srs.secret: a few lines.
const secretsSizeMax = 64 << 10

// srsScheme rewrites the senders of forwarded mail; nil when that is not wanted,
// and while there are no secrets to sign with: senders stay as they are then, and
// the log says so.
func srsScheme(cfg *config.Config, logger *slog.Logger) *srs.Scheme {
	domain, err := addr.AppendDomain(nil, []byte(cfg.SRS.Domain))
	if err != nil {
		return nil
	}
	secrets, err := readSecrets(cfg.SRS.SecretFile)
	if err != nil {
		if logger != nil {
			logger.Warn("senders of forwarded mail stay as they are", "error", err)
		}
		return nil
	}
	return &srs.Scheme{Domain: string(domain), Secrets: secrets}
}

// readSecrets reads srs.secret: a secret a line.
func readSecrets(name string) (secrets [][]byte, err error) {
	text, err := vfs.ReadFile(vfs.Disk{}, name, secretsSizeMax)
	if err != nil {
		return nil, fmt.Errorf("srs.secret: %w", err)
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			secrets = append(secrets, line)
		}
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("srs.secret: %s: there is no secret in it", name)
	}
	return secrets, nil
}

// ensureSecret makes a secret where there is none yet.
func ensureSecret(cfg *config.Config, id *identity) error {
	name := cfg.SRS.SecretFile
	if _, err := (vfs.Disk{}).Stat(name); cfg.SRS.Domain == "" || !errors.Is(err, fs.ErrNotExist) {
		return nil // whoever reads it says what is wrong
	}
	if err := vfs.WriteAtomic(vfs.Disk{}, name, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("srs.secret: %w", err)
	}
	return id.own(name)
}

// relayClients says who may relay without a login. A proxy may not: its address
// is seen only where it does not know its client's, who may be anybody.
func relayClients(cfg *config.Config) func(netip.Addr) bool {
	return func(client netip.Addr) bool {
		return cfg.Relay.Allow.Contains(client) && !cfg.Trusted.Proxy.Contains(client)
	}
}
