package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is a running server under test and the group that it is weighed in.
type server struct {
	cmd   *exec.Cmd
	group *group // nil where control groups cannot be made
	log   *os.File
	ended chan error
}

// startServer starts cmd in a control group of its own with its output in a
// file in dir, and waits until addr greets.
func startServer(ctx context.Context, cmd *exec.Cmd, name, dir, addr string) (*server, error) {
	if greeting(addr) == nil {
		return nil, fmt.Errorf("another server answers on %s already", addr)
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, log: log, ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if g, err := newGroup(fmt.Sprintf("perf-%s-%d", name, os.Getpid())); err == nil {
		s.group = g
		cmd.SysProcAttr = g.attributes()
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	go func() { s.ended <- cmd.Wait() }()
	if err := s.waitGreeting(ctx, addr); err != nil {
		return nil, errors.Join(err, s.stop(nil))
	}
	return s, nil
}

// waitGreeting connects again and again until a greeting comes.
func (s *server) waitGreeting(ctx context.Context, addr string) error {
	const patience = 20 * time.Second
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if last = greeting(addr); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.ended:
			s.ended <- err
			words, _ := os.ReadFile(s.log.Name()) // empty words say enough
			return fmt.Errorf("%s ended before it answered: %w\n%s", s.cmd.Path, errors.Join(err, last), words)
		case <-time.After(time.Millisecond):
		}
	}
	return fmt.Errorf("no greeting from %s: %w", addr, last)
}

// greeting connects, reads one line that must begin with 220 or +OK, and says
// good-bye.
func greeting(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "220") && !strings.HasPrefix(line, "+OK") {
		return fmt.Errorf("greeting is %q", line)
	}
	_, err = conn.Write([]byte("QUIT\r\n"))
	return err
}

// cpu is the processor time of the server with all its processes.
func (s *server) cpu() (user, system time.Duration, err error) {
	if s.group != nil {
		return s.group.cpu()
	}
	u, err := usageOfTree(s.cmd.Process.Pid)
	return u.User, u.System, err
}

// usage adds up the processes that live now.
func (s *server) usage() (usage, error) {
	if s.group == nil {
		return usageOfTree(s.cmd.Process.Pid)
	}
	pids, err := s.group.pids()
	if err != nil {
		return usage{}, err
	}
	return usageOf(pids)
}

// stop ends the server with the command halt, or with SIGTERM when that is
// nil, waits for it and removes the group.
func (s *server) stop(halt *exec.Cmd) error {
	if halt != nil {
		if words, err := halt.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("%s: %w: %s", halt.Path, err, words), s.release())
		}
	} else if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(err, s.release())
	}
	select {
	case err := <-s.ended:
		s.ended <- err
	case <-time.After(30 * time.Second):
		// Kill fails only when the process has just ended.
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	return s.release()
}

func (s *server) release() error {
	err := s.log.Close()
	if s.group != nil {
		err = errors.Join(err, s.group.close())
	}
	return err
}
