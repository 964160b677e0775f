package main

import (
	"path"
	"slices"

	"barid/internal/config"
)

// restart names the keys that a running server does not follow, and why. All
// others are in force as soon as they were reread. Patterns are those of
// path.Match.
var restart = []struct{ keys, why string }{
	{"relay.connections-max", "deliverers are hired at the start"},
	{"relay.destination-*", "the spool is open"},
	{"relay.passwords", "the file is reread, but not which file it is"},
	{"relay.policy", "the file is reread, but not which file it is"},
	{"relay.tls*", "connections are open"},
	{"relay.bind", "connections are open"},
	{"relay.port", "connections are open"},
	{"relay.*-timeout", "connections are open"},
	{"bounce.*", "the spool is open"},
	{"*.listen", "sockets are opened once, while the server may still be root"},
	{"*.socket", "sockets are opened once"},
	{"*.connections-max", "a limit belongs to its socket"},
	{"*.connections-per-address-max", "a limit belongs to its socket"},
	{"*.command-timeout", "a time limit belongs to its socket"},
	{"*.body-timeout", "a time limit belongs to its socket"},
	{"*.auth-timeout", "a time limit belongs to its socket"},
	{"*.idle-timeout", "a time limit belongs to its socket"},
	{"proxy.trusted", "it belongs to the sockets"},
	{"tls.*", "the files are reread, but not which files these are"},
	{"user", "root was given up at the start"},
	{"data.dir", "files are open there"},
	{"memory.limit", "buffers are counted against it from the start"},
	{"dns.*", "one resolver serves from the start, with what it remembers"},
	{"spool.*", "the spool is open"},
	{"queue.*", "the spool is open"},
	{"quota.over", "deliveries began with it"},
	{"log.file", "the log is open"},
	{"log.format", "the log is open"},
}

// needsRestart says why a key has no effect on a running server; "" when it
// has.
func needsRestart(key string) (why string) {
	for _, r := range restart {
		if ok, err := path.Match(r.keys, key); ok && err == nil {
			return r.why
		}
	}
	return ""
}

// reload applies the configuration anew. Whatever cannot be read leaves what
// was in force as it is.
func (s *server) reload(read readConfig) {
	if err := s.log.Reopen(); err != nil {
		s.logger.Error("log file not reopened, the old one stays in use", "error", err)
	}
	s.reloadCertificates()
	before := s.doors.who.Load()
	cfg, err := read()
	if err != nil {
		s.logger.Error("configuration not reread, the old one stays in force", "error", err)
		return
	}
	warnings, err := problems(cfg)
	if err != nil {
		s.logger.Error("configuration not applied, the old one stays in force", "error", err)
		return
	}
	who, err := before.renew(cfg, s.logger)
	if err != nil {
		s.logger.Error("configuration not applied, the old one stays in force", "error", err)
		return
	}
	s.log.SetLevel(cfg.Log.Level)
	s.doors.who.Store(who)
	s.doors.replace(s.makeDoors())
	s.report(before.cfg, cfg, warnings)
}

// report tells the log what a reload has changed, and what it has not.
func (s *server) report(before, now *config.Config, warnings []string) {
	old, _ := problems(before)
	for _, w := range newOnes(old, warnings) {
		s.logger.Warn("configuration", "problem", w)
	}
	for _, key := range config.Changed(s.cfg, now) {
		if why := needsRestart(key); why != "" {
			s.logger.Warn("a changed key needs a restart", "key", key, "why", why)
		}
	}
	s.logger.Info("configuration reread", "changed", config.Changed(before, now))
}

// newOnes are the elements of after that before does not have.
func newOnes(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(s string) bool { return slices.Contains(before, s) })
}
