package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc/PID/stat. The kernel reports them in
// USER_HZ, which is 100 on every architecture that Go supports.
const tick = 10 * time.Millisecond

// usage is what a process, or a tree of them, has used until now.
type usage struct {
	User      time.Duration // including children that were waited for
	System    time.Duration
	PSS       int64 // octets of memory, shared pages counted by their share
	RSS       int64 // octets of memory, shared pages counted in full
	Written   int64 // octets that were sent towards the disk
	Processes int
	Threads   int
}

func (u usage) cpu() time.Duration { return u.User + u.System }

// procStat holds the fields of /proc/PID/stat that are needed here, see
// proc_pid_stat(5).
type procStat struct {
	pid, parent  int
	user, system time.Duration // with those of children that were waited for
	threads      int
}

// parseStat reads one line of /proc/PID/stat. The second field is the name in
// parentheses and may itself hold spaces and parentheses, so that the fields
// are counted from the last closing one.
func parseStat(line []byte) (procStat, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return procStat{}, fmt.Errorf("no process name in %q", line)
	}
	fields := bytes.Fields(line[end+1:]) // fields[0] is field 3, the state
	if len(fields) < 18 {
		return procStat{}, fmt.Errorf("only %d fields in %q", len(fields), line)
	}
	var n [18]int64
	for i := 1; i < len(n); i++ {
		v, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("field %d of %q: %w", i+3, line, err)
		}
		n[i] = v
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line[:open])))
	if err != nil {
		return procStat{}, fmt.Errorf("process id of %q: %w", line, err)
	}
	return procStat{
		pid: pid, parent: int(n[1]),
		user:    time.Duration(n[11]+n[13]) * tick,
		system:  time.Duration(n[12]+n[14]) * tick,
		threads: int(n[17]),
	}, nil
}

// parseKeyed finds "Key: 123" in the lines of a file such as smaps_rollup, io
// or status. It returns the number as it stands there.
func parseKeyed(data []byte, key string) (int64, error) {
	for line := range bytes.Lines(data) {
		rest, ok := bytes.CutPrefix(line, []byte(key+":"))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			break
		}
		return strconv.ParseInt(string(fields[0]), 10, 64)
	}
	return 0, fmt.Errorf("no %q found", key)
}

// readStat reads the state of one process.
func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(data)
}

// memoryOf is the memory of one process in octets: the proportional share of
// shared pages, and all of them.
func memoryOf(pid int) (pss, rss int64, err error) {
	data, err := os.ReadFile(procFile(pid, "smaps_rollup"))
	if err != nil {
		return 0, 0, err
	}
	if pss, err = parseKeyed(data, "Pss"); err != nil {
		return 0, 0, err
	}
	rss, err = parseKeyed(data, "Rss")
	return pss << 10, rss << 10, err
}

func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// usageOfTree adds up the process root and everything that descends from it.
// Processes that end meanwhile are left out: their parent has their time.
func usageOfTree(root int) (usage, error) {
	pids, err := treeOf(root)
	if err != nil {
		return usage{}, err
	}
	return usageOf(pids)
}

// usageOf adds up the given processes.
func usageOf(pids []int) (usage, error) {
	var total usage
	for _, pid := range pids {
		if err := total.addProcess(pid); err != nil && !isGone(err) {
			return usage{}, err
		}
	}
	if total.Processes == 0 {
		return usage{}, errors.New("no such process")
	}
	return total, nil
}

func (u *usage) addProcess(pid int) error {
	stat, err := readStat(pid)
	if err != nil {
		return err
	}
	pss, rss, err := memoryOf(pid)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(procFile(pid, "io"))
	if err != nil {
		return err
	}
	written, err := parseKeyed(data, "write_bytes")
	if err != nil {
		return err
	}
	u.User += stat.user
	u.System += stat.system
	u.PSS += pss
	u.RSS += rss
	u.Written += written
	u.Processes++
	u.Threads += stat.threads
	return nil
}

// isGone says whether an error of a file below /proc means that the process
// has ended.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// treeOf lists root and its descendants.
func treeOf(root int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil {
			children[stat.parent] = append(children[stat.parent], pid)
		}
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree, nil
}
