package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"syscall"
)

// WriteAtomic makes name hold exactly data. When it has returned nil this is
// durable; after a crash at any moment before that, name holds either what it
// held before (or is still missing) or all of data. On error name is
// unchanged, but for an error of the last step, the sync of the directory:
// then it is one of the two.
func WriteAtomic(fsys FS, name string, data []byte, perm fs.FileMode) error {
	f, err := createBeside(fsys, name, perm)
	if err != nil {
		return err
	}
	tmp := f.Name()
	err = writeSyncClose(f, data)
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// createBeside makes a file in the directory of name. A name left over from a
// crash is not reused: another process may be writing it.
func createBeside(fsys FS, name string, perm fs.FileMode) (File, error) {
	for tries := 0; ; tries++ {
		tmp := name + ".tmp" + strconv.FormatUint(rand.Uint64(), 36)
		f, err := fsys.Create(tmp, perm)
		if tries == 10 || !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

func writeSyncClose(f File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadFile returns the contents of name, which may be at most max bytes long;
// a longer file is an error that wraps EFBIG.
func ReadFile(fsys FS, name string, max int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	// The size is a hint: the file may grow, and files in /proc say 0.
	data := make([]byte, 0, min(size, max)+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > max {
			return nil, fmt.Errorf("%s: longer than %d bytes: %w", name, max, syscall.EFBIG)
		}
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
