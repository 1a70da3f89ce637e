// Command cni-gate is the last plugin of a node's CNI list. It tells the NetworkPolicy agent of each new Pod and
// returns when the Pod's rules are in the kernel, so that no container runs before its policies hold. Without an
// answer it fails: the kubelet then tries again, and the Pod has no network in the meantime.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
)

const defaultSocket = "/run/delos/netpol.sock"

const (
	// An ADD waits for an agent that is being restarted; the kubelet's own limit is two minutes.
	addLimit = 20 * time.Second
	// A DEL is told for tidiness: an address is not given to another Pod without an ADD, which corrects all.
	delLimit   = 2 * time.Second
	checkLimit = 5 * time.Second
	pause      = 50 * time.Millisecond

	// Of the CNI specification, STATUS: no new container can be given a network.
	notAvailable = 50
)

type config struct {
	types.PluginConf
	// Socket is the agent's unix socket; without it, defaultSocket.
	Socket string `json:"socket"`
}

// podArgs is what container runtimes put into CNI_ARGS.
type podArgs struct {
	types.CommonArgs
	K8S_POD_NAMESPACE types.UnmarshallableString
	K8S_POD_NAME      types.UnmarshallableString
	K8S_POD_UID       types.UnmarshallableString
}

type request struct {
	Command   string `json:"command"`
	Container string `json:"container,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	UID       string `json:"uid"`
	IP        string `json:"ip,omitempty"`
}

type answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Del: del, Check: check, Status: status, GC: collect},
		version.All, "delos-cni-gate: tells the NetworkPolicy agent of Pods")
}

func add(args *skel.CmdArgs) error {
	conf, ask, err := sandbox(args, "add")
	if err != nil {
		return err
	}
	if err := forget(net.ParseIP(ask.IP)); err != nil {
		return types.NewError(types.ErrIOFailure, "connections of the address's former owner cannot be forgotten", err.Error())
	}
	if err := call(conf.Socket, ask, addLimit); err != nil {
		return types.NewError(types.ErrTryAgainLater, "the Pod's network policies are not in force", err.Error())
	}
	return types.PrintResult(conf.PrevResult, conf.CNIVersion)
}

func check(args *skel.CmdArgs) error {
	conf, ask, err := sandbox(args, "check")
	if err != nil {
		return err
	}
	return call(conf.Socket, ask, checkLimit)
}

func del(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	if err := call(conf.Socket, request{Command: "del", Container: args.ContainerID}, delLimit); err != nil {
		fmt.Fprintln(os.Stderr, "delos-cni-gate:", err)
	}
	return nil
}

func status(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	if err := call(conf.Socket, request{Command: "status"}, checkLimit); err != nil {
		return types.NewError(notAvailable, "the NetworkPolicy agent does not answer", err.Error())
	}
	return nil
}

// collect has nothing to do: the agent forgets sandboxes whose Pod is gone.
func collect(*skel.CmdArgs) error { return nil }

func parse(data []byte) (*config, error) {
	conf := &config{}
	if err := json.Unmarshal(data, conf); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "the network configuration is not JSON", err.Error())
	}
	if conf.Socket == "" {
		conf.Socket = defaultSocket
	}
	return conf, nil
}

// sandbox is what ADD and CHECK ask of the agent: whose sandbox it is, and the address that the plugins before gave it.
func sandbox(args *skel.CmdArgs, command string) (*config, request, error) {
	conf, err := parse(args.StdinData)
	if err != nil {
		return nil, request{}, err
	}
	if err := version.ParsePrevResult(&conf.PluginConf); err != nil {
		return nil, request{}, types.NewError(types.ErrDecodingFailure, "prevResult cannot be read", err.Error())
	}
	if conf.PrevResult == nil {
		return nil, request{}, types.NewError(types.ErrInvalidNetworkConfig, "delos-cni-gate must follow a plugin that gives an address", "")
	}
	result, err := current.NewResultFromResult(conf.PrevResult)
	if err != nil {
		return nil, request{}, types.NewError(types.ErrDecodingFailure, "prevResult cannot be read", err.Error())
	}
	pod := podArgs{CommonArgs: types.CommonArgs{IgnoreUnknown: true}}
	if err := types.LoadArgs(args.Args, &pod); err != nil {
		return nil, request{}, types.NewError(types.ErrInvalidEnvironmentVariables, "CNI_ARGS cannot be read", err.Error())
	}
	for _, address := range result.IPs {
		if ip := address.Address.IP.To4(); ip != nil {
			return conf, request{
				Command:   command,
				Container: args.ContainerID,
				Namespace: string(pod.K8S_POD_NAMESPACE),
				Name:      string(pod.K8S_POD_NAME),
				UID:       string(pod.K8S_POD_UID),
				IP:        ip.String(),
			}, nil
		}
	}
	return nil, request{}, types.NewError(types.ErrInvalidNetworkConfig, "the Pod has no IPv4 address", "")
}

// call asks until there is an answer or the limit is reached. Only silence is asked again: a refusal is an answer.
func call(socket string, ask request, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		reply, err := try(socket, ask, deadline)
		if err == nil && reply.OK {
			return nil
		}
		if err == nil {
			return errors.New(reply.Error)
		}
		if time.Now().Add(pause).After(deadline) {
			return fmt.Errorf("no answer at %s within %s: %w", socket, limit, err)
		}
		time.Sleep(pause)
	}
}

func try(socket string, ask request, deadline time.Time) (answer, error) {
	var reply answer
	connection, err := net.DialTimeout("unix", socket, time.Until(deadline))
	if err != nil {
		return reply, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(deadline); err != nil {
		return reply, err
	}
	if err := json.NewEncoder(connection).Encode(ask); err != nil {
		return reply, err
	}
	line, err := bufio.NewReader(connection).ReadBytes('\n')
	if err != nil {
		return reply, err
	}
	return reply, json.Unmarshal(line, &reply)
}
