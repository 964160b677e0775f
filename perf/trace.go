package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
)

// syncCalls are the system calls that make something durable.
const syncCalls = "fsync,fdatasync,syncfs,sync,sync_file_range"

// traced wraps a command so that strace counts the calls that sync and writes
// the sum to file when the last process has ended. The server stays the direct
// child and does not end strace along with its process group (-DD), and the
// kernel stops it at no other call (--seccomp-bpf).
func traced(ctx context.Context, cmd *exec.Cmd, file string) *exec.Cmd {
	words := []string{"-DD", "-f", "--seccomp-bpf", "-c", "-e", "trace=" + syncCalls, "-o", file}
	return exec.CommandContext(ctx, "strace", append(words, cmd.Args...)...)
}

// readSyncs reads how many calls strace has counted.
func readSyncs(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return parseSyncs(data), nil
}

// parseSyncs adds up the table of strace -c: share, seconds, microseconds per
// call, calls, perhaps errors, and the name.
func parseSyncs(table []byte) int {
	total := 0
	for line := range bytes.Lines(table) {
		fields := bytes.Fields(line)
		if len(fields) < 5 || string(fields[len(fields)-1]) == "total" {
			continue
		}
		if calls, err := strconv.Atoi(string(fields[3])); err == nil {
			total += calls
		}
	}
	return total
}
