//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package broker

import (
	"fmt"
	"os"
	"runtime"
)

// lockDir fails: without a lock two servers on one store would destroy it.
func lockDir(dir string) (*os.File, error) {
	return nil, fmt.Errorf("lock %s: not possible on %s: use an external NATS", dir, runtime.GOOS)
}
