package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestProcessNameMayHoldSpacesAndParentheses(t *testing.T) {
	line := []byte("17279 (a) b (c) R 17275 17275 4774 0 -1 4194304 103 0 0 0 5 7 11 13 20 0 3 0 115713 3133440 409\n")
	got, err := parseStat(line)
	want := procStat{pid: 17279, parent: 17275, user: 160 * time.Millisecond, system: 200 * time.Millisecond, threads: 3}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestBrokenStatLinesAreErrors(t *testing.T) {
	for _, line := range []string{"", "1 sh R 2", "1 (sh) R 2 3", "x (sh) R 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "1 (sh) R 1 1 1 1 1 1 1 1 1 1 y 1 1 1 1 1 1 1 1"} {
		if got, err := parseStat([]byte(line)); err == nil {
			t.Errorf("%q is read as %+v", line, got)
		}
	}
}

func TestKeyedNumbersAreFoundByTheirWholeName(t *testing.T) {
	data := []byte("Rss:   1704 kB\nPss_Dirty: 9 kB\nPss:    340 kB\nwrite_bytes: 4096\nEmpty:\n")
	for key, want := range map[string]int64{"Rss": 1704, "Pss": 340, "write_bytes": 4096} {
		if got, err := parseKeyed(data, key); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", key, got, err, want)
		}
	}
	for _, key := range []string{"Ps", "Empty", "cancelled_write_bytes"} {
		if got, err := parseKeyed(data, key); err == nil {
			t.Errorf("%s is read as %d", key, got)
		}
	}
}

func TestTreeHoldsChildrenAndTheirMemory(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	tree, err := treeOf(os.Getpid())
	if err != nil || !slices.Contains(tree, cmd.Process.Pid) {
		t.Errorf("child %d is not in %v, %v", cmd.Process.Pid, tree, err)
	}
	use, err := usageOfTree(os.Getpid())
	if err != nil || use.Processes < 2 || use.PSS <= 0 || use.RSS < use.PSS {
		t.Errorf("usage %+v, %v", use, err)
	}
}

func TestUsageOfAProcessThatIsNotThereIsAnError(t *testing.T) {
	if got, err := usageOf([]int{1 << 30}); err == nil {
		t.Errorf("got %+v", got)
	}
}
