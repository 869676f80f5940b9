package eventstest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// NodeModules gives a directory the npm packages that its package-lock.json names, as
// InstallNodeModules does. The test is skipped where npm is not installed.
func NodeModules(t testing.TB, dir string) {
	t.Helper()
	err := InstallNodeModules(dir)
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("npm is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// InstallNodeModules links dir/node_modules to the npm packages that
// dir/package-lock.json names. They are installed once and kept in the user's cache
// directory, as Go keeps modules: installing takes longer than most tests. What is
// kept there may be removed at any time.
func InstallNodeModules(dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("install packages of npm: %w", err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("install packages of npm: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("install packages of npm: %w", err)
	}
	cache = filepath.Join(cache, "sheetbridge-tests")
	kept := filepath.Join(cache, fmt.Sprintf("npm-%s-%s-%x", runtime.GOOS, runtime.GOARCH, sha256.Sum256(lock)))
	if _, err := os.Stat(kept); errors.Is(err, os.ErrNotExist) {
		if err := install(npm, dir, cache, kept); err != nil {
			return fmt.Errorf("install packages of npm: %w", err)
		}
	}
	return os.Symlink(filepath.Join(kept, "node_modules"), filepath.Join(dir, "node_modules"))
}

// install has npm install into a directory of its own, which becomes the kept one when
// it is complete.
func install(npm, dir, cache, kept string) error {
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return err
	}
	made, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made) // what is left of it, if it did not become the kept one
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(made, name), text, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = made
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	err = os.Rename(made, kept)
	if _, there := os.Stat(kept); there == nil {
		return nil // by another test process, perhaps
	}
	return err
}
