package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/uuid"
)

// Incarnation names the store in a directory: the name stays over restarts, and
// changes when the directory was restored from a copy of its files, which nothing
// inside the store can tell. A marker file is remembered with its inode and the
// time of its last change; a copy of it has others. One of the two alone may
// change without a copy: some file systems number anew at each mount, and whoever
// adjusts owners of files touches the time. A snapshot of the whole volume keeps
// both: that one was restored is not noticed.
func Incarnation(dir string) (string, error) {
	marker, noted := filepath.Join(dir, "incarnation"), filepath.Join(dir, "incarnation.at")
	name, err := os.ReadFile(marker)
	if err == nil && len(name) > 0 {
		inode, changed, err := identity(marker)
		if err != nil {
			return "", err
		}
		was, err := os.ReadFile(noted)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading which store this is: %w", err)
		}
		wasInode, wasChanged, _ := strings.Cut(string(was), " ")
		if wasInode == inode || wasChanged == changed {
			return string(name), nil
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading which store this is: %w", err)
	}
	return newIncarnation(marker, noted)
}

func newIncarnation(marker, noted string) (string, error) {
	name := uuid.NewString()
	if err := writeFile(marker, []byte(name)); err != nil {
		return "", fmt.Errorf("noting which store this is: %w", err)
	}
	inode, changed, err := identity(marker)
	if err != nil {
		return "", err
	}
	if err := writeFile(noted, []byte(inode+" "+changed)); err != nil {
		return "", fmt.Errorf("noting which store this is: %w", err)
	}
	return name, nil
}

// identity returns what a copy of the file would not have.
func identity(path string) (inode, changed string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", fmt.Errorf("reading which store this is: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", "", errors.New("reading which store this is: no inode")
	}
	return fmt.Sprint(st.Ino), fmt.Sprintf("%d.%09d", st.Ctim.Sec, st.Ctim.Nsec), nil
}
