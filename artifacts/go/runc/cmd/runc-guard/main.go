// Command runc-guard stands in front of runc. Before a container is made, it limits the kinds of sockets in the
// container's seccomp profile to those that a network namespace or the file system confines. The default profile of
// containerd 1.6 allows every kind, AF_VSOCK among them, which reaches the hypervisor past every network policy.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// The address families of socket(2) that stay: UNIX, INET, INET6, NETLINK and PACKET.
var families = []int{1, 2, 10, 16, 17}

func main() {
	runc, err := exec.LookPath("runc")
	if err != nil {
		fail(err)
	}
	if bundle, ok := bundleOf(os.Args[1:]); ok {
		if err := tighten(filepath.Join(bundle, "config.json")); err != nil {
			fail(err)
		}
	}
	fail(syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ()))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "runc-guard:", err)
	os.Exit(1)
}

// bundleOf tells the bundle of a container that is about to be made; by runc's own rule it is the working folder where
// no flag names it.
func bundleOf(args []string) (string, bool) {
	makes, bundle := false, "."
	for i, arg := range args {
		switch {
		case arg == "create" || arg == "run":
			makes = true
		case (arg == "--bundle" || arg == "-b") && i+1 < len(args):
			bundle = args[i+1]
		case strings.HasPrefix(arg, "--bundle="):
			bundle = strings.TrimPrefix(arg, "--bundle=")
		}
	}
	return bundle, makes
}

// tighten rewrites a container's configuration. A container without a profile, a privileged one, stays as it is.
func tighten(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Numbers stay as they were written: some do not fit into a float.
	decoder.UseNumber()
	if err := decoder.Decode(&spec); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	linux, _ := spec["linux"].(map[string]any)
	seccomp, _ := linux["seccomp"].(map[string]any)
	if seccomp == nil {
		return nil
	}
	rules, _ := seccomp["syscalls"].([]any)
	seccomp["syscalls"] = limit(rules)
	changed, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	// Not through a renamed file: the bundle is ours alone until runc reads it.
	return os.WriteFile(path, changed, 0o600)
}

// limit takes socket(2) out of the rules that allow it, and the old call that hides the family from any rule; then allows
// it by family. A profile that allows no socket at all gets none.
func limit(rules []any) []any {
	allowed := false
	kept := make([]any, 0, len(rules)+len(families))
	for _, each := range rules {
		rule, ok := each.(map[string]any)
		if !ok || rule["action"] != "SCMP_ACT_ALLOW" {
			kept = append(kept, each)
			continue
		}
		names, _ := rule["names"].([]any)
		rest := make([]any, 0, len(names))
		for _, name := range names {
			if name == "socket" {
				allowed = true
			} else if name != "socketcall" {
				rest = append(rest, name)
			}
		}
		if len(rest) > 0 {
			rule["names"] = rest
			kept = append(kept, rule)
		}
	}
	if allowed {
		for _, family := range families {
			kept = append(kept, map[string]any{
				"names":  []any{"socket"},
				"action": "SCMP_ACT_ALLOW",
				"args":   []any{map[string]any{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}},
			})
		}
	}
	return kept
}
