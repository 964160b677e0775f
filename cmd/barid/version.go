package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

const versionHelp = `
usage: barid version

Prints the version of this program, and what it was built with and for.
`

// printVersion is the subcommand version.
func printVersion(t terminal, args []string) int {
	o := newFlags("version", versionHelp)
	if code, done := o.parse(t, args, 0); done {
		return code
	}
	fmt.Fprintf(t.out, "barid %s (%s, %s/%s)\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}

// versionText is what the build was told, or else what it has noted itself.
func versionText() string {
	if info, ok := debug.ReadBuildInfo(); version == "" && ok {
		return cmp.Or(info.Main.Version, "unknown")
	}
	return cmp.Or(version, "unknown")
}
