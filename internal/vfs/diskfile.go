package vfs

import (
	"io"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// iovMax is the number of buffers that one pwritev(2) takes (IOV_MAX).
const iovMax = 1024

// transferMax keeps one system call below the kernel's limit of 2^31-4096
// bytes, also where int has 32 bits.
const transferMax = 1 << 30

// diskFile is an open descriptor. Closing it while another goroutine uses it
// is an error of the caller.
type diskFile struct {
	fd   int
	name string
}

func (f *diskFile) Name() string { return f.name }

func (f *diskFile) Read(p []byte) (int, error) {
	return f.read(p, func(p []byte) (int, error) { return unix.Read(f.fd, p) })
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := f.read(p[done:], func(p []byte) (int, error) {
			return unix.Pread(f.fd, p, off+int64(done))
		})
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (f *diskFile) read(p []byte, call func([]byte) (int, error)) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(len(p), transferMax)]
	err = retry(func() (err error) { n, err = call(p); return err })
	if err != nil {
		return 0, pathError("read", f.name, err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *diskFile) Write(p []byte) (int, error) {
	return f.write(p, func(p []byte, _ int) (int, error) { return unix.Write(f.fd, p) })
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	return f.write(p, func(p []byte, done int) (int, error) {
		return unix.Pwrite(f.fd, p, off+int64(done))
	})
}

func (f *diskFile) write(p []byte, call func(p []byte, done int) (int, error)) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		chunk := p[done:min(len(p), done+transferMax)]
		err := retry(func() (err error) { n, err = call(chunk, done); return err })
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return done, pathError("write", f.name, err)
		}
		done += n
	}
	return done, nil
}

// WriteVAt implements File. A buffer that the kernel took in part is finished
// with pwrite(2), so that no slice of the caller has to change.
func (f *diskFile) WriteVAt(bufs [][]byte, off int64) (int64, error) {
	var done int64
	for len(bufs) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Pwritev(f.fd, bufs[:vectorLength(bufs)], off+done)
			return err
		})
		if err != nil {
			return done, pathError("write", f.name, err)
		}
		done += int64(n)
		for len(bufs) > 0 && n >= len(bufs[0]) {
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		if len(bufs) == 0 {
			return done, nil
		}
		if err := f.finish(bufs[0], n, off, &done); err != nil {
			return done, err
		}
		bufs = bufs[1:]
	}
	return done, nil
}

// finish writes what is left of a buffer of which taken bytes were written.
func (f *diskFile) finish(buf []byte, taken int, off int64, done *int64) error {
	n, err := f.WriteAt(buf[taken:], off+*done)
	*done += int64(n)
	return err
}

// vectorLength says how many of the buffers go into one system call.
func vectorLength(bufs [][]byte) int {
	total := 0
	for i, b := range bufs {
		if i == iovMax || total > transferMax-len(b) {
			return max(i, 1)
		}
		total += len(b)
	}
	return len(bufs)
}

func (f *diskFile) Sync() error {
	// fdatasync is not retried on EINTR alone: whether the kernel has then
	// already reported a lost page is not defined, so it counts as failed.
	return pathError("sync", f.name, unix.Fdatasync(f.fd))
}

func (f *diskFile) Truncate(size int64) error {
	return pathError("truncate", f.name, retry(func() error { return unix.Ftruncate(f.fd, size) }))
}

// Allocate implements File with fallocate(2).
func (f *diskFile) Allocate(size int64) error {
	err := retry(func() error { return unix.Fallocate(f.fd, 0, 0, size) })
	if err != unix.EOPNOTSUPP && err != unix.ENOSYS {
		return pathError("allocate", f.name, err)
	}
	old, err := f.Size()
	if err != nil || old >= size {
		return err
	}
	return f.Truncate(size)
}

func (f *diskFile) Size() (int64, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return 0, pathError("stat", f.name, err)
	}
	return st.Size, nil
}

// SetModTime implements File with futimens(3). The time of access stays.
func (f *diskFile) SetModTime(t time.Time) error {
	mtime, err := unix.TimeToTimespec(t)
	if err != nil {
		return pathError("set time", f.name, err)
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	err = retry(func() error { return unix.UtimesNanoAt(f.fd, "", times, unix.AT_EMPTY_PATH) })
	if err == unix.ENOENT || err == unix.EINVAL { // before Linux 5.8
		self := "/proc/self/fd/" + strconv.Itoa(f.fd)
		err = retry(func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, self, times, 0) })
	}
	return pathError("set time", f.name, err)
}

// Close gives the descriptor back. Linux frees it whatever close(2) returns,
// so it is never retried; a second Close is an error.
func (f *diskFile) Close() error {
	if f.fd < 0 {
		return pathError("close", f.name, unix.EBADF)
	}
	fd := f.fd
	f.fd = -1
	if err := unix.Close(fd); err != nil && err != unix.EINTR {
		return pathError("close", f.name, err)
	}
	return nil
}
