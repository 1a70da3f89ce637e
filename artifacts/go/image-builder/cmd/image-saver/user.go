package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// becomeUser starts the program once more as a user that owns nothing, with the right to read files of others and no other. A container
// can have a capability as root alone; root could write to what belongs to root in the folders that are read.
func becomeUser(text string) error {
	if text == "" || os.Getuid() != 0 {
		return nil
	}
	user, err := strconv.Atoi(text)
	if err != nil || user <= 0 {
		return fmt.Errorf("DELOS_SAVER_USER: expected the number of a user, found %q", text)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	// What follows is this thread's, whose rights are those of the program that it starts.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, failed := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(user), uintptr(user), uintptr(user)); failed != 0 {
		return fmt.Errorf("cannot become user %d: %w", user, failed)
	}
	const reads = 1 << unix.CAP_DAC_READ_SEARCH
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	rights := [2]unix.CapUserData{{Effective: reads, Permitted: reads, Inheritable: reads}}
	if err := unix.Capset(&header, &rights[0]); err != nil {
		return fmt.Errorf("cannot keep the right to read: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_DAC_READ_SEARCH, 0, 0); err != nil {
		return err
	}
	return unix.Exec(program, os.Args, os.Environ())
}
