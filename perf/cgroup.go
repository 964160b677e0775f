package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group is a control group (version 2) that holds one server and everything
// that it starts. The kernel adds up their processor time, also of processes
// that have ended; a server that forks for each connection cannot be weighed
// otherwise.
type group struct {
	path string
	dir  *os.File
}

// newGroup makes a control group below that of this process. It fails where
// that is not allowed.
func newGroup(name string) (*group, error) {
	root, err := groupRoot()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(root, name)
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return &group{path: path, dir: dir}, nil
}

// groupRoot is the directory of the control group that this process is in.
func groupRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mount, err := parseGroupMount(mounts)
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(own) {
		if path, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("0::")); ok {
			return filepath.Join(mount, string(path)), nil
		}
	}
	return "", errors.New("this process is in no control group of version 2")
}

// parseGroupMount finds where control groups are mounted: field 5 of the line
// of mountinfo whose type, which follows " - ", is cgroup2.
func parseGroupMount(mountinfo []byte) (string, error) {
	for line := range strings.Lines(string(mountinfo)) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if ok && len(fields) >= 5 && strings.HasPrefix(after, "cgroup2 ") {
			return fields[4], nil
		}
	}
	return "", errors.New("control groups of version 2 are not mounted")
}

// attributes make a child start inside the group.
func (g *group) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.dir.Fd())}
}

// cpu is the processor time that the group has used since it was made.
func (g *group) cpu() (user, system time.Duration, err error) {
	data, err := os.ReadFile(filepath.Join(g.path, "cpu.stat"))
	if err != nil {
		return 0, 0, err
	}
	return parseGroupCPU(data)
}

// parseGroupCPU reads cpu.stat: lines of a name and a number of microseconds.
func parseGroupCPU(data []byte) (user, system time.Duration, err error) {
	found := 0
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != "user_usec" && fields[0] != "system_usec" {
			continue
		}
		n, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		found++
		if fields[0] == "user_usec" {
			user = time.Duration(n) * time.Microsecond
		} else {
			system = time.Duration(n) * time.Microsecond
		}
	}
	if found != 2 {
		return 0, 0, fmt.Errorf("no processor time in %q", data)
	}
	return user, system, nil
}

// pids lists the processes of the group.
func (g *group) pids() ([]int, error) {
	data, err := os.ReadFile(filepath.Join(g.path, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var list []int
	for field := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		list = append(list, pid)
	}
	return list, nil
}

// close waits until the processes of the group have ended, kills those that
// do not, and removes the group.
func (g *group) close() error {
	var kill error
	if !g.empties() {
		kill = os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0)
		g.empties()
	}
	return errors.Join(kill, g.dir.Close(), os.Remove(g.path))
}

// empties waits a few seconds and says whether the group is empty then.
func (g *group) empties() bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if pids, err := g.pids(); err != nil || len(pids) == 0 {
			return true
		}
	}
	return false
}
