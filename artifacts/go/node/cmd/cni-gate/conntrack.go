package main

import (
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forget removes what the kernel remembers of connections of an address's former owner: replies on those are let
// through, and they are none of the new Pod's.
func forget(address net.IP) error {
	var filters []netlink.CustomConntrackFilter
	for _, end := range []netlink.ConntrackFilterType{
		netlink.ConntrackOrigSrcIP, netlink.ConntrackOrigDstIP, netlink.ConntrackReplySrcIP, netlink.ConntrackReplyDstIP,
	} {
		filter := &netlink.ConntrackFilter{}
		if err := filter.AddIP(end, address); err != nil {
			return err
		}
		filters = append(filters, filter)
	}
	_, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, filters...)
	return err
}
