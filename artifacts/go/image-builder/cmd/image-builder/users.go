package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

type owner struct{ uid, gid int }

// account is who a command runs as.
type account struct {
	owner
	groups []uint32
	home   string
}

// fields reads a file as /etc/passwd is one.
func fields(file string) [][]string {
	place, err := resolve("/", file, true)
	if err != nil {
		return nil
	}
	text, err := os.ReadFile(place)
	if err != nil {
		return nil
	}
	var all [][]string
	for _, line := range strings.Split(string(text), "\n") {
		if parts := strings.Split(strings.TrimSpace(line), ":"); len(parts) >= 3 {
			all = append(all, parts)
		}
	}
	return all
}

// ownerOf reads USER[:GROUP], names or numbers. Nothing said is root.
func (s *stage) ownerOf(text string) (owner, error) {
	account, err := s.accountOf(text)
	return account.owner, err
}

func (s *stage) accountOf(text string) (account, error) {
	found := account{home: "/root"}
	if text == "" {
		return found, nil
	}
	user, group, grouped := strings.Cut(text, ":")
	number, err := strconv.Atoi(user)
	known := false
	for _, parts := range fields("/etc/passwd") {
		if len(parts) < 6 || (parts[0] != user && parts[2] != user) {
			continue
		}
		known = true
		uid, first := strconv.Atoi(parts[2])
		gid, second := strconv.Atoi(parts[3])
		if err := errors.Join(first, second); err != nil {
			return found, fmt.Errorf("/etc/passwd: %w", err)
		}
		found.uid, found.gid, found.home, user = uid, gid, parts[5], parts[0]
		break
	}
	if !known {
		if err != nil || number < 0 {
			return found, fmt.Errorf("unable to find user %s: no matching entries in passwd file", user)
		}
		found.uid, found.home = number, "/"
	}
	if grouped {
		found.gid, err = groupOf(group)
		return found, err
	}
	for _, parts := range fields("/etc/group") {
		if len(parts) < 4 {
			continue
		}
		for _, member := range strings.Split(parts[3], ",") {
			if gid, err := strconv.Atoi(parts[2]); err == nil && member == user {
				found.groups = append(found.groups, uint32(gid))
			}
		}
	}
	return found, nil
}

func groupOf(group string) (int, error) {
	for _, parts := range fields("/etc/group") {
		if parts[0] == group {
			return strconv.Atoi(parts[2])
		}
	}
	number, err := strconv.Atoi(group)
	if err != nil || number < 0 {
		return 0, fmt.Errorf("unable to find group %s: no matching entries in group file", group)
	}
	return number, nil
}
