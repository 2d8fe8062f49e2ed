// What the kernel need not copy to the sensor at all: a filter for AF_PACKET sockets (SO_ATTACH_FILTER, classic BPF).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/raw_packet.h"

struct sock_filter;

namespace weir::capture {

/// Passes TCP over IPv4 and IPv6, fragments, IPv6 with extension headers, what may be a tunnel that wire/ unwraps, and DNS (UDP port 53);
/// inside VLAN tags, PPPoE and MPLS, too. In doubt it passes: what it drops is ARP, ICMP, and UDP on other ports. Packets that break off
/// before their transport header are dropped. `link`: kEthernet or kRaw.
std::vector<sock_filter> kernel_filter(LinkType link);
/// Passes nothing.
std::vector<sock_filter> reject_all_filter();

}  // namespace weir::capture
