package main

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

const (
	defaultAccess = "system.posix_acl_default"
	accessVersion = 2
	noId          = 0xffffffff
)

// shareWithGroup gives a folder a default list of access, which all that is made below inherits: the group may read and write it.
// Otherwise a job that runs as root with the usual umask makes folders into which nobody else can write. A file system that has no
// such lists is left without.
//
// https://man7.org/linux/man-pages/man5/acl.5.html; the form is that of the kernel's include/uapi/linux/posix_acl_xattr.h.
func shareWithGroup(folder int) error {
	const all, readAndEnter = 7, 5
	list := binary.LittleEndian.AppendUint32(nil, accessVersion)
	// Owner, group, others, by their tags.
	for _, entry := range [][2]uint16{{0x01, all}, {0x04, all}, {0x20, readAndEnter}} {
		list = binary.LittleEndian.AppendUint16(list, entry[0])
		list = binary.LittleEndian.AppendUint16(list, entry[1])
		list = binary.LittleEndian.AppendUint32(list, noId)
	}
	err := unix.Fsetxattr(folder, defaultAccess, list, 0)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}
