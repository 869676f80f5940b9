package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// StoreID names the store in a directory: the name stays over restarts, and
// changes when the directory was restored from a copy of its files, which nothing
// inside the store can tell. A marker file is remembered with the time when it was
// made, which no copy of it has and nothing else changes (statx(2), stx_btime). Where
// the file system does not keep that, its inode and the time of its last change have
// to do, of which one may change without a copy: some file systems give other numbers
// at each mount, and adjusting the owners of files touches the time; and a copy may be
// given the number of the file that was removed for it. A snapshot of the whole
// volume keeps all of them: that one was restored is not noticed.
func StoreID(dir string) (string, error) {
	marker, noted := filepath.Join(dir, "incarnation"), filepath.Join(dir, "incarnation.at")
	name, err := os.ReadFile(marker)
	if err == nil && len(name) > 0 {
		now, err := identify(marker)
		if err != nil {
			return "", err
		}
		was, err := os.ReadFile(noted)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading which store this is: %w", err)
		}
		if now.same(parseIdentity(string(was))) {
			return string(name), nil
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading which store this is: %w", err)
	}
	return newStoreID(marker, noted)
}

func newStoreID(marker, noted string) (string, error) {
	name := uuid.NewString()
	if err := writeFile(marker, []byte(name)); err != nil {
		return "", fmt.Errorf("noting which store this is: %w", err)
	}
	now, err := identify(marker)
	if err != nil {
		return "", err
	}
	if err := writeFile(noted, []byte(now.String())); err != nil {
		return "", fmt.Errorf("noting which store this is: %w", err)
	}
	return name, nil
}

// identity is what a copy of a file would not have.
type identity struct {
	inode, changed, made string // made is empty where the file system does not say
}

func identify(path string) (identity, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_CTIME|unix.STATX_BTIME, &st)
	if err != nil {
		return identity{}, fmt.Errorf("reading which store this is: %w", err)
	}
	id := identity{inode: fmt.Sprint(st.Ino), changed: timestamp(st.Ctime)}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.made = timestamp(st.Btime)
	}
	return id, nil
}

func timestamp(t unix.StatxTimestamp) string { return fmt.Sprintf("%d.%09d", t.Sec, t.Nsec) }

func (id identity) String() string { return id.inode + " " + id.changed + " " + id.made }

func parseIdentity(text string) (id identity) {
	id.inode, text, _ = strings.Cut(text, " ")
	id.changed, id.made, _ = strings.Cut(text, " ")
	return id
}

// same tells whether two identities are of one file.
func (id identity) same(was identity) bool {
	if id.made != "" && was.made != "" {
		return id.made == was.made
	}
	return id.inode == was.inode || id.changed == was.changed
}
