// One TCP segment in every encapsulation that is unwrapped: a table for tests and fuzzing corpora.
#pragma once

#include <string>
#include <vector>

#include "base/raw_packet.h"
#include "wire/sample_packets.h"

namespace weir::wire::sample {

struct Encapsulation {
  std::string name;
  LinkType link;
  Octets packet;
  bool tunnel = false;
};

inline std::vector<Encapsulation> encapsulations() {
  const Octets ip = ip_tcp();
  const Octets ip6 = ip6_tcp();
  const Octets frame = ethernet(0x0800, ip);
  const Octets segment6 = after_ipv6_header(ip6);
  // Extension headers stand between these addresses and the segment, which is why its checksum stays right.
  const auto extended = [&](std::uint8_t next, const Octets& extensions) { return ethernet(0x86dd, ipv6(next, extensions + segment6, v6(1), v6(2))); };
  const Octets with_options = [&] {
    Octets packet = hex("46") + Octets(ip.begin() + 1, ip.begin() + 20) + hex("94040000") + after_ipv4_header(ip);
    set16(packet, 2, packet.size());
    fix_ipv4(packet);
    return packet;
  }();
  const auto ether = [](std::uint8_t protocol, const Octets& payload) { return ethernet(0x0800, ipv4(protocol, payload)); };
  constexpr auto kEthernet = LinkType::kEthernet;
  return {
      {"Ethernet IPv4", kEthernet, frame},
      {"Ethernet IPv6", kEthernet, ethernet(0x86dd, ip6)},
      {"IPv4 options", kEthernet, ethernet(0x0800, with_options)},
      {"SNAP", kEthernet, ethernet(static_cast<std::uint16_t>(ip.size() + 8), hex("aaaa03 000000 0800") + ip)},
      {"VLAN", kEthernet, ethernet(0x8100, vlan(5, 0x0800, ip))},
      {"QinQ", kEthernet, ethernet(0x88a8, vlan(5, 0x8100, vlan(6, 0x86dd, ip6)))},
      {"old QinQ", kEthernet, ethernet(0x9100, vlan(5, 0x9200, vlan(6, 0x0800, ip)))},
      {"MPLS IPv4", kEthernet, ethernet(0x8847, mpls({16, 17, 18}, ip))},
      {"MPLS IPv6", kEthernet, ethernet(0x8848, mpls({16}, ip6))},
      {"MPLS pseudo-wire", kEthernet, ethernet(0x8847, mpls({16}, frame))},
      {"MPLS pseudo-wire, control word", kEthernet, ethernet(0x8847, mpls({16}, hex("00000001") + frame))},
      {"MPLS pseudo-wire, address that looks like IPv4", kEthernet, ethernet(0x8847, mpls({16}, hex("450000540000 460000000001 0800") + ip))},
      {"MPLS pseudo-wire, address that looks like IPv6", kEthernet, ethernet(0x8847, mpls({16}, hex("600000540000 460000000001 8100") + vlan(1, 0x86dd, ip6)))},
      {"PPPoE", kEthernet, ethernet(0x8864, pppoe(ppp(0x0021, ip)))},
      {"PPPoE IPv6 in VLAN", kEthernet, ethernet(0x8100, vlan(5, 0x8864, pppoe(ppp(0x0057, ip6))))},
      {"cooked v1", LinkType::kLinuxSll, cooked(0x0800, ip)},
      {"cooked v1 VLAN", LinkType::kLinuxSll, cooked(0x8100, vlan(5, 0x86dd, ip6))},
      {"cooked v2", LinkType::kLinuxSll2, cooked2(0x86dd, ip6)},
      {"PPP", LinkType::kPpp, ppp(0x0021, ip)},
      {"PPP framed", LinkType::kPpp, hex("ff03") + ppp(0x0057, ip6)},
      {"PPP compressed protocol", LinkType::kPpp, hex("21") + ip},
      {"PPP framed, compressed protocol", LinkType::kPpp, hex("ff03 57") + ip6},
      {"PPP MPLS", LinkType::kPpp, hex("ff03") + ppp(0x0281, mpls({16}, ip))},
      {"PPP HDLC", LinkType::kPppHdlc, hex("ff03") + ppp(0x0021, ip)},
      {"Cisco HDLC", LinkType::kPppHdlc, hex("0f00 0800") + ip},
      {"PPP over Ethernet without Ethernet", LinkType::kPppEther, pppoe(ppp(0x0021, ip))},
      {"raw IPv4", LinkType::kRaw, ip},
      {"raw IPv6", LinkType::kRaw, ip6},
      {"IPv4 link", LinkType::kIpv4, ip},
      {"IPv6 link", LinkType::kIpv6, ip6},
      {"loopback, little-endian host", LinkType::kNull, hex("02000000") + ip},
      {"loopback, big-endian host", LinkType::kNull, hex("00000002") + ip},
      {"loopback IPv6 NetBSD", LinkType::kNull, hex("18000000") + ip6},
      {"loopback IPv6 FreeBSD", LinkType::kNull, hex("1c000000") + ip6},
      {"loopback IPv6 macOS", LinkType::kNull, hex("1e000000") + ip6},
      {"loopback IPv6 Linux", LinkType::kNull, hex("0000000a") + ip6},
      {"OpenBSD loopback", LinkType::kLoop, hex("00000018") + ip6},
      {"hop-by-hop options", kEthernet, extended(0, hex("0600050200000100"))},
      {"destination options", kEthernet, extended(60, hex("0600010400000000"))},
      {"routing header", kEthernet, extended(43, hex("06020200 00000000 20010db80000000000000000000000cc"))},
      {"authentication header", kEthernet, extended(51, hex("06040000 00000100 00000001 0102030405060708 090a0b0c"))},
      {"mobility header", kEthernet, extended(135, hex("0600000000000000"))},
      {"atomic fragment", kEthernet, extended(44, hex("06000000 00000001"))},
      {"all extension headers", kEthernet,
       extended(0, hex("3c00010400000000") + hex("2b00010400000000") + hex("2c00040000000000") + hex("3300000000000001") +
                       hex("3c040000 00000100 00000001 0102030405060708 090a0b0c") + hex("0600010400000000"))},
      {"IPv4 in IPv4", kEthernet, ether(4, ip), true},
      {"IPv6 in IPv4", kEthernet, ether(41, ip6), true},
      {"IPv4 in IPv6", kEthernet, ethernet(0x86dd, ipv6(4, ip)), true},
      {"IPv6 in IPv6", kEthernet, ethernet(0x86dd, ipv6(41, ip6)), true},
      {"GRE", kEthernet, ether(47, gre(0, 0x0800, {}, ip)), true},
      {"GRE checksum, key, sequence", kEthernet, ether(47, gre(0xb000, 0x86dd, hex("00000000 00000007 00000001"), ip6)), true},
      {"GRE routing", kEthernet, ether(47, gre(0x4000, 0x0800, hex("00000000 0800 0004 c0000201 00000000"), ip)), true},
      {"GRE Ethernet", kEthernet, ether(47, gre(0, 0x6558, {}, frame)), true},
      {"GRE MPLS", kEthernet, ether(47, gre(0, 0x8847, {}, mpls({16}, ip))), true},
      {"ERSPAN I", kEthernet, ether(47, gre(0, 0x88be, {}, frame)), true},
      {"ERSPAN II", kEthernet, ether(47, gre(0x1000, 0x88be, hex("00000001 1000000100000000"), frame)), true},
      {"ERSPAN III", kEthernet, ether(47, gre(0x1000, 0x22eb, hex("00000001 200000010000000000000000"), frame)), true},
      {"ERSPAN III, platform header", kEthernet, ether(47, gre(0x1000, 0x22eb, hex("00000001 200000010000000000000001 0000000000000000"), frame)), true},
      {"PPTP", kEthernet, ether(47, gre(0x3081, 0x880b, number(ip.size() + 4, 2) + hex("0009 00000001 00000002"), hex("ff03") + ppp(0x0021, ip))), true},
      {"VXLAN", kEthernet, ether(17, vxlan(7, frame)), true},
      {"VXLAN on Linux's port, IPv6 outside", kEthernet, ethernet(0x86dd, ipv6(17, vxlan(7, ethernet(0x8100, vlan(5, 0x86dd, ip6)), 8472))), true},
      {"GENEVE Ethernet", kEthernet, ether(17, geneve(7, 0x6558, {}, frame)), true},
      {"GENEVE options, IPv4", kEthernet, ether(17, geneve(7, 0x0800, hex("0102 80 01 00000000"), ip)), true},
      {"GTP-U", kEthernet, ether(17, gtp(7, ip)), true},
      {"GTP-U sequence", kEthernet, ether(17, gtp(7, ip6, 0x32, hex("00010000"))), true},
      {"GTP-U extension headers", kEthernet, ether(17, gtp(7, ip, 0x34, hex("00000085 01000585 02000000 00000000"))), true},
      {"EtherIP", kEthernet, ether(97, hex("3000") + frame), true},
      {"MPLS in IP", kEthernet, ether(137, mpls({16}, ip)), true},
      {"GTP-U in VXLAN", kEthernet, ether(17, vxlan(7, ether(17, gtp(8, ip)))), true},
  };
}

}  // namespace weir::wire::sample
