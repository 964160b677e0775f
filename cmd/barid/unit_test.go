package main

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"barid/internal/config"
)

// unit reads the systemd unit: values by key, in their order.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	values := map[string][]string{}
	for line := range strings.Lines(readFile(t, "barid.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			values[key] = append(values[key], value)
		}
	}
	return values
}

func TestUnitFitsTheProgram(t *testing.T) {
	u := unit(t)
	if !slices.Equal(u["Type"], []string{"notify"}) {
		t.Errorf("Type=%v, and serve notifies", u["Type"])
	}
	for _, key := range []string{"ExecStart", "ExecStartPre"} {
		words := strings.Fields(strings.Join(u[key], " "))
		if len(words) != 4 || words[2] != "-c" || words[3] != defaultConfigFile {
			t.Errorf("%s=%v", key, u[key])
			continue
		}
		barid("", words[1], "-h").want(t, exitOK, "usage: barid "+words[1])
	}
	cfg, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/var/lib/" + strings.Join(u["StateDirectory"], ""); cfg.Data.Dir != want || !strings.HasPrefix(cfg.Socket.Sendmail, want) {
		t.Errorf("the state directory is %s, data lies in %s and %s", want, cfg.Data.Dir, cfg.Socket.Sendmail)
	}
	if u["User"][0] != cfg.User {
		t.Errorf("User=%v, and the key user is %s", u["User"], cfg.User)
	}
	patience, err := time.ParseDuration(u["TimeoutStopSec"][0])
	if err != nil || patience <= sessionPatience+deliveryPatience+answerPatience {
		t.Errorf("TimeoutStopSec=%v kills a server that is still finishing (%v)", u["TimeoutStopSec"], err)
	}
}

func TestNotifierReachesAbstractSockets(t *testing.T) {
	name := "@barid-test-" + strings.ReplaceAll(tempDir(t), "/", "-")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	newNotifier(name)("READY=1")
	buffer := make([]byte, 64)
	n, err := l.Read(buffer)
	if err != nil || string(buffer[:n]) != "READY=1" {
		t.Errorf("%q %v", buffer[:n], err)
	}
	newNotifier("")("READY=1")
	newNotifier("/nonexistent/socket")("READY=1")
}
