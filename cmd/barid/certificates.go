package main

import (
	"crypto/tls"

	"barid/internal/config"
	"barid/internal/tlsconf"
)

// openCertificates reads the certificates; nil when there are none.
func openCertificates(cfg *config.Config) (*tlsconf.Store, error) {
	if len(cfg.TLS.Certificates) == 0 {
		return nil, nil
	}
	var pairs []tlsconf.Pair
	for _, p := range cfg.TLS.Certificates {
		pairs = append(pairs, tlsconf.Pair{CertFile: p.CertFile, KeyFile: p.KeyFile})
	}
	return tlsconf.Open(pairs)
}

// tlsUse says how TLS is spoken on the sockets of a service.
func tlsUse(cfg *config.Config, service string) tlsconf.Use {
	u := tlsconf.Use{Tickets: service != "smtp", MinVersion: tls.VersionTLS12}
	if cfg.TLS.MinVersion == "1.3" {
		u.MinVersion = tls.VersionTLS13
	}
	return u
}

func (s *server) certificateWarnings() []string {
	if s.certs == nil {
		return nil
	}
	return s.certs.Warnings()
}

// reloadCertificates reads them again where they have changed.
func (s *server) reloadCertificates() {
	if s.certs == nil {
		return
	}
	before := s.certs.Warnings()
	if err := s.certs.Reload(); err != nil {
		s.logger.Error("certificates not reread, the old ones stay in use", "error", err)
	}
	for _, w := range newOnes(before, s.certs.Warnings()) {
		s.logger.Warn("certificate", "problem", w)
	}
}
