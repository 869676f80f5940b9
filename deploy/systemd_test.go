package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestSystemd asks systemd how exposed the unit leaves the service, of 100.
func TestSystemd(t *testing.T) {
	t.Run("security", func(t *testing.T) {
		tool(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", "systemd/sheetbridge.service")
	})
	unit := read(t, "systemd/sheetbridge.service")
	for _, want := range []string{
		"\nExecStart=/usr/local/bin/sheetbridge serve\n", "\nRestart=on-failure\n", "\nRestartPreventExitStatus=2\n",
		"\nDynamicUser=yes\n", "\nLimitCORE=0\n",
	} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	if strings.Contains(unit, "\nProcSubset=") {
		t.Error("the unit hides /proc/stat: process_start_time_seconds would be missing")
	}
}

// TestSystemdRestartsCrashes crashes this program in the unit's environment: it
// must not end with the exit code that the unit takes for a wrong configuration.
func TestSystemdRestartsCrashes(t *testing.T) {
	const crash = "SHEETBRIDGE_TEST_CRASH"
	if os.Getenv(crash) != "" {
		done := make(chan struct{})
		go func() { panic("on purpose") }()
		<-done
	}
	cmd := exec.Command("sh", "-c", `ulimit -c 0; exec "$0" "$@"`, os.Args[0], "-test.run=^TestSystemdRestartsCrashes$")
	cmd.Env = append(os.Environ(), crash+"=1")
	cmd.Env = append(cmd.Env, matches(`(?m)^Environment=(.*)$`, read(t, "systemd/sheetbridge.service"))...)
	var exit *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) || !strings.Contains(string(out), "on purpose") {
		t.Fatalf("the crash ended with %v:\n%s", err, out)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGABRT {
		t.Errorf("a crash ends with %v, want SIGABRT, which the unit restarts after", exit)
	}
}
