package seal

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxFile is the most that a file with a secret may hold, in bytes.
const maxFile = 64 << 10

// ReadFile reads a secret from a file, without the white space around it. A file
// that everybody may read is refused. One that a group may read is too, unless it
// belongs to another user and this process is in the group: so Kubernetes mounts
// a secret for the user of a container.
func ReadFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if readByOthers(info) {
		return "", fmt.Errorf("%s may be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return Secret(strings.TrimSpace(string(text))), nil
}

// readByOthers tells whether others than this process are meant to read the file.
func readByOthers(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	if mode&0o077 == 0 {
		return false
	}
	return mode&0o037 != 0 || !mountedForGroup(info)
}
