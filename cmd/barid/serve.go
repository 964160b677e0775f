package main

const serveHelp = `
usage: barid serve [-c FILE] [-o key=value]...

Runs the mail server in the foreground. Started as root it opens its ports and
then becomes the user of the key "user".

SIGTERM and SIGINT finish what is in flight and end it; SIGHUP rereads the
configuration, certificates, accounts and maps, and reopens the log file. A
service manager is told when it is ready (sd_notify).
`

// serve is the subcommand.
func serve(t terminal, args []string) int {
	o := newOptions(t, "serve", serveHelp)
	if code, done := o.parse(t, args); done {
		return code
	}
	if o.flags.NArg() > 0 {
		t.complain("serve: it takes no arguments; 'barid serve -h' explains")
		return exitUsage
	}
	cfg, err := o.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if err := runServer(t, cfg, o.load, nil); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}
