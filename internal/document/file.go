package document

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

var (
	errIrregular = errors.New("not a regular file")
	errTooLarge  = errors.New("the file is larger than 1 MiB")
)

// ReadFile reads a regular file of at most 1 MiB; others are an error. Every file of an
// operator is read by it: a pipe could block a start or a reload forever, and a device could
// fill the memory. Errors are [*fs.PathError].
func ReadFile(path string) ([]byte, error) {
	data, err := readRegular(path)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: withoutPath(err)}
	}
	return data, nil
}

func readRegular(path string) ([]byte, error) {
	// Before it is opened, since to open a device can do something already.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	// And after, should it have been replaced: a pipe is opened without waiting.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	return ReadAll(f)
}

// ReadAll reads r until its end. More than 1 MiB is an error.
func ReadAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading: %w", err)
	case len(data) > maxSize:
		return nil, errTooLarge
	}
	return data, nil
}

// WritableByAll reports whether the mode of a file makes it world-writable. It returns false if
// the mode is unknown.
func WritableByAll(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0
}
