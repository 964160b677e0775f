package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"barid/internal/config"
)

const serveHelp = `
usage: barid serve [-c FILE] [-o key=value]...

Runs the mail server in the foreground. Started as root it opens its ports,
reads its keys, and then becomes the user of the key "user" for good.

What is wrong with the configuration is said before anything is opened; 'barid
check' says it without starting a server.

signals:
  SIGTERM, SIGINT  take no more connections, finish what is in flight, end. A
                   second one ends at once: what was answered 250 is on disk,
                   and is delivered at the next start.
  SIGHUP           read configuration, certificates, accounts and maps anew and
                   reopen the log file. What cannot be read leaves what was in
                   force. The log says which changed keys need a restart.

Under systemd the service manager is told about start, reload and end
(sd_notify); cmd/barid/barid.service is a unit.

exit codes: 0 ended by a signal, 1 could not start, 2 wrong use
`

// serve is the subcommand.
func serve(t terminal, args []string) int {
	o := newOptions("serve", serveHelp)
	if code, done := o.parse(t, args, 0); done {
		return code
	}
	if err := runServer(t, plan{first: o.load, again: o.load, ready: func(*server) {}}); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

// readConfig reads the configuration.
type readConfig func() (*config.Config, error)

// plan is what differs between runs of a server.
type plan struct {
	first readConfig    // at the start; it may make what the server needs
	again readConfig    // at each SIGHUP
	ready func(*server) // is called when every port answers
}

// runServer runs a server until a signal ends it. Signals that come before it
// is ready are heard when it is.
func runServer(t terminal, p plan) error {
	signals, reloads := t.signals, (<-chan os.Signal)(nil)
	if signals == nil {
		// A signal for which a channel has no room is lost. That must not
		// happen to one that ends the server, however many say reload; of
		// those, one that waits is as good as many.
		ends, hangups := make(chan os.Signal, 4), make(chan os.Signal, 1)
		signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(ends)
		defer signal.Stop(hangups)
		// A reader of our output that is gone is no reason to stop mail.
		signal.Ignore(syscall.SIGPIPE)
		signals, reloads = ends, hangups
	}
	cfg, err := p.first()
	if err != nil {
		return err
	}
	s, err := start(t, cfg)
	if err != nil {
		return err
	}
	p.ready(s)
	s.notify("READY=1")
	s.untilStopped(signals, reloads, p.again)
	s.notify("STOPPING=1")
	return s.stop()
}

// certificatesEvery is how often certificates are looked at without being
// told, since those who renew them do not always tell.
const certificatesEvery = time.Minute

// untilStopped serves signals until one says stop. From then on the next one
// ends the process as it stands.
func (s *server) untilStopped(signals, reloads <-chan os.Signal, read readConfig) {
	tick := time.NewTicker(certificatesEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.reloadCertificates()
		case <-reloads:
			s.reloadOnSignal(read)
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				s.logger.Info("stopping", "signal", sig.String())
				signal.Reset(syscall.SIGTERM, syscall.SIGINT)
				return
			}
			s.reloadOnSignal(read)
		}
	}
}

func (s *server) reloadOnSignal(read readConfig) {
	s.notify(reloading())
	s.reload(read)
	s.notify("READY=1")
}

// problems sorts what is wrong between keys into what a server cannot start
// with and what its postmaster should know.
func problems(cfg *config.Config) (warnings []string, err error) {
	var errs []error
	for _, p := range cfg.Check() {
		if p.Warning {
			warnings = append(warnings, p.String())
		} else {
			errs = append(errs, errors.New(p.String()))
		}
	}
	return warnings, errors.Join(errs...)
}
