package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// disk is where a server under test keeps its data: an ext4 with a journal in
// an image of its own, or, without root, a plain directory.
//
// An image of its own because results depend on the file system more than on
// the server. Each run begins on a freshly made one, so that no server pays
// for the files that another has deleted. The image is written once from end
// to end and mkfs must not discard it: otherwise the first write to each block
// would allocate it in the file system below.
type disk struct {
	dir    string // where the server's data goes
	words  string // what it is, for the report
	image  string // with a loop device; else empty
	device string
}

// newDisk makes a disk below dir. With size 0, or without root, it is a plain
// directory.
func newDisk(ctx context.Context, dir string, sizeMiB int) (*disk, error) {
	d := &disk{dir: filepath.Join(dir, "data")}
	// Servers that change their user must get through to their files.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, err
	}
	if sizeMiB == 0 || os.Geteuid() != 0 {
		d.words = "plain directory on the machine's own file system"
		return d, nil
	}
	d.words = fmt.Sprintf("ext4 with journal and barriers, noatime, %d MiB preallocated loop image with direct I/O, fresh for each run", sizeMiB)
	d.image = filepath.Join(dir, "disk.img")
	if err := writeZeros(d.image, sizeMiB); err != nil {
		return nil, errors.Join(err, os.Remove(d.image))
	}
	device, err := command1(ctx, "losetup", "--find", "--show", "--direct-io=on", d.image)
	if err != nil {
		return nil, errors.Join(err, os.Remove(d.image))
	}
	d.device = device
	return d, nil
}

// writeZeros makes a file of the given size and writes all of it.
func writeZeros(name string, sizeMiB int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for range sizeMiB {
		if _, err := f.Write(zeros); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

// fresh empties the disk.
func (d *disk) fresh(ctx context.Context) error {
	if d.device == "" {
		if err := os.RemoveAll(d.dir); err != nil {
			return err
		}
		return os.Mkdir(d.dir, 0o755)
	}
	if err := d.unmount(); err != nil {
		return err
	}
	_, err := command1(ctx, "mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", d.device)
	if err != nil {
		return err
	}
	if err := unix.Mount(d.device, d.dir, "ext4", unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("mount %s: %w", d.device, err)
	}
	return os.Chmod(d.dir, 0o755)
}

func (d *disk) unmount() error {
	err := unix.Unmount(d.dir, 0)
	if errors.Is(err, unix.EINVAL) { // it is not mounted
		return nil
	}
	return err
}

// close unmounts and removes everything that newDisk made.
func (d *disk) close() error {
	if d.device == "" {
		return os.RemoveAll(d.dir)
	}
	err := d.unmount()
	_, detach := command1(context.Background(), "losetup", "--detach", d.device)
	return errors.Join(err, detach, os.Remove(d.image), os.Remove(d.dir))
}

// diskCount is what a block device has done.
type diskCount struct {
	writtenOctets int64
	flushes       int64
}

// count reads what the loop device has done until now; zero without one.
func (d *disk) count() (diskCount, error) {
	if d.device == "" {
		return diskCount{}, nil
	}
	data, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(d.device), "stat"))
	if err != nil {
		return diskCount{}, err
	}
	return parseDiskCount(string(data))
}

// parseDiskCount reads the fields of /sys/block/DEVICE/stat: the 7th counts
// written sectors of 512 octets, the 16th requests to flush the write cache.
func parseDiskCount(stat string) (diskCount, error) {
	fields := strings.Fields(stat)
	if len(fields) < 16 {
		return diskCount{}, fmt.Errorf("only %d fields in %q", len(fields), stat)
	}
	sectors, err := strconv.ParseInt(fields[6], 10, 64)
	if err != nil {
		return diskCount{}, err
	}
	flushes, err := strconv.ParseInt(fields[15], 10, 64)
	return diskCount{sectors * 512, flushes}, err
}

func (c diskCount) since(before diskCount) diskCount {
	return diskCount{c.writtenOctets - before.writtenOctets, c.flushes - before.flushes}
}

// command1 runs a program and returns what it printed on standard output; the
// error has what it printed on standard error.
func command1(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
