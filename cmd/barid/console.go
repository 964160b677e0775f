package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// console is a terminal that can stop showing what is typed.
type console struct {
	file *os.File
	mode unix.Termios
}

var errNoConsole = errors.New("not a terminal")

// openConsole gives the terminal behind a reader.
func openConsole(r io.Reader) (*console, error) {
	f, ok := r.(*os.File)
	if !ok {
		return nil, errNoConsole
	}
	mode, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, errNoConsole
	}
	return &console{f, *mode}, nil
}

// ask prints a question and reads the answer without showing it. Whatever
// ends it, the terminal shows again afterwards what is typed.
func (c *console) ask(w io.Writer, question string) ([]byte, error) {
	quiet := c.mode
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	if err := c.set(&quiet); err != nil {
		return nil, fmt.Errorf("the terminal cannot hide a password: %w", err)
	}
	stop := c.guard()
	defer stop()
	fmt.Fprint(w, question)
	defer fmt.Fprintln(w)
	var line [passwordMax]byte
	n, err := c.file.Read(line[:]) // in this mode the kernel hands out whole lines
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	return bytes.Clone(bytes.TrimRight(line[:n], "\r\n")), nil
}

func (c *console) set(mode *unix.Termios) error {
	return unix.IoctlSetTermios(int(c.file.Fd()), unix.TCSETS, mode)
}

// guard puts the terminal back when a signal ends the program, and when the
// function that it returns is called.
func (c *console) guard() (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		select {
		case s := <-signals:
			_ = c.set(&c.mode) // there is nothing left to try
			signal.Reset(s)
			_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		_ = c.set(&c.mode)
	}
}
