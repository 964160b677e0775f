package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

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

// ask prints a question and reads the answer without showing it.
func (c *console) ask(w io.Writer, question string) ([]byte, error) {
	quiet := c.mode
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(c.file.Fd()), unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	defer unix.IoctlSetTermios(int(c.file.Fd()), unix.TCSETS, &c.mode)
	fmt.Fprint(w, question)
	defer fmt.Fprintln(w)
	var line [4096]byte
	n, err := c.file.Read(line[:]) // in this mode the kernel hands out whole lines
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	return bytes.Clone(bytes.TrimRight(line[:n], "\r\n")), nil
}
