#include "capture/kernel_filter.h"

#include <linux/filter.h>

#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace weir::capture {
namespace {

constexpr std::uint32_t kPass = 0xffffffff;  // octets to keep

// The same as wire/ knows: link.cc, ipv6_extensions.h, udp_tunnels.cc.
constexpr std::uint32_t kVlanTypes[] = {0x8100, 0x88a8, 0x9100, 0x9200};
constexpr std::uint32_t kOtherCarriers[] = {0x8847, 0x8848, 0x6558};  // MPLS; Ethernet in Ethernet
constexpr std::uint32_t kIpv4Type = 0x0800, kIpv6Type = 0x86dd, kPppoeType = 0x8864, kLeastType = 0x0600, kSnap = 0xaaaa;
constexpr std::uint32_t kUdp = 17;
/// TCP; IP in IP, GRE, MPLS in IP, EtherIP.
constexpr std::uint32_t kProtocols[] = {6, 4, 41, 47, 137, 97};
constexpr std::uint32_t kHopByHop = 0, kIcmpv6 = 58;
constexpr std::uint32_t kExtensions[] = {43, 44, 51, 60, 135, 139, 140};
constexpr std::uint32_t kPorts[] = {53, 4789, 8472, 6081, 2152};

/// Purpose: a program with names for its places. Jumps go forwards only, as the machine wants it.
class Assembler {
 public:
  using Place = std::size_t;

  Place place() {
    places_.push_back(0);
    return places_.size() - 1;
  }
  void here(Place place) { places_[place] = code_.size(); }
  void plain(unsigned operation, std::uint32_t value = 0) { code_.push_back({static_cast<std::uint16_t>(operation), 0, 0, value}); }
  /// To `yes` if it holds, else on.
  void jump_if(unsigned operation, std::uint32_t value, Place yes) {
    jumps_.emplace_back(code_.size(), yes);
    plain(BPF_JMP | operation | BPF_K, value);
  }
  void jump_if_any(std::span<const std::uint32_t> values, Place yes) {
    for (const std::uint32_t value : values) jump_if(BPF_JEQ, value, yes);
  }
  void jump(Place to) {
    jumps_.emplace_back(code_.size(), to);
    plain(BPF_JMP | BPF_JA);
  }
  std::vector<sock_filter> program() {
    for (const auto& [at, place] : jumps_) {
      const std::size_t distance = places_[place] - at - 1;
      if (code_[at].code == (BPF_JMP | BPF_JA)) {
        code_[at].k = static_cast<std::uint32_t>(distance);
      } else {
        code_[at].jt = static_cast<std::uint8_t>(distance);  // the program has fewer than 256 steps: kernel_filter_test.cc
      }
    }
    return std::move(code_);
  }

 private:
  std::vector<sock_filter> code_;
  std::vector<std::size_t> places_;
  std::vector<std::pair<std::size_t, Place>> jumps_;
};

// Loads at X + offset.
constexpr unsigned kOctet = BPF_LD | BPF_B | BPF_IND;
constexpr unsigned kHalf = BPF_LD | BPF_H | BPF_IND;

/// X moves over a header.
void move_on(Assembler& a, std::uint32_t octets) {
  a.plain(BPF_MISC | BPF_TXA);
  a.plain(BPF_ALU | BPF_ADD, octets);
  a.plain(BPF_MISC | BPF_TAX);
}

}  // namespace

std::vector<sock_filter> kernel_filter(LinkType link) {
  Assembler a;
  const auto ipv4 = a.place(), ipv6 = a.place(), ports = a.place(), pass = a.place(), drop = a.place();
  a.plain(BPF_LDX | BPF_IMM, 0);
  if (link == LinkType::kEthernet) {
    // Up to two tags; X is 14 octets before what follows the EtherType.
    constexpr std::uint32_t kTypeAt = 12;
    const auto by_type = a.place(), pppoe = a.place(), llc = a.place();
    for (int tags = 0; tags < 2; ++tags) {
      const auto tagged = a.place();
      a.plain(kHalf, kTypeAt);
      a.jump_if_any(kVlanTypes, tagged);
      a.jump(by_type);
      a.here(tagged);
      move_on(a, 4);
    }
    a.plain(kHalf, kTypeAt);
    a.jump_if_any(kVlanTypes, pass);
    a.here(by_type);
    a.plain(BPF_ST, 0);
    move_on(a, 14);
    a.plain(BPF_LD | BPF_W | BPF_MEM, 0);
    a.jump_if(BPF_JEQ, kIpv4Type, ipv4);
    a.jump_if(BPF_JEQ, kIpv6Type, ipv6);
    a.jump_if(BPF_JEQ, kPppoeType, pppoe);
    a.jump_if_any(kOtherCarriers, pass);
    a.jump_if(BPF_JGE, kLeastType, drop);
    a.here(llc);
    a.plain(kHalf, 0);
    a.jump_if(BPF_JEQ, kSnap, pass);
    a.jump(drop);
    a.here(pppoe);
    // RFC 1661 §2: protocols from 0x8000 on control the link.
    a.plain(kHalf, 6);
    a.jump_if(BPF_JGE, 0x8000, drop);
    const auto ppp_ipv4 = a.place(), ppp_ipv6 = a.place();
    a.jump_if(BPF_JEQ, 0x0021, ppp_ipv4);
    a.jump_if(BPF_JEQ, 0x0057, ppp_ipv6);
    a.jump(pass);
    a.here(ppp_ipv4);
    move_on(a, 8);
    a.jump(ipv4);
    a.here(ppp_ipv6);
    move_on(a, 8);
    a.jump(ipv6);
  } else {
    a.plain(kOctet, 0);
    a.plain(BPF_ALU | BPF_RSH | BPF_K, 4);
    a.jump_if(BPF_JEQ, 4, ipv4);
    a.jump_if(BPF_JEQ, 6, ipv6);
    a.jump(drop);
  }

  a.here(ipv4);
  a.plain(kHalf, 6);
  a.jump_if(BPF_JSET, 0x3fff, pass);  // a fragment: more follow, or an offset
  const auto udp4 = a.place(), udp6 = a.place();
  a.plain(kOctet, 9);
  a.jump_if_any(kProtocols, pass);
  a.jump_if(BPF_JEQ, kUdp, udp4);
  a.jump(drop);
  a.here(udp4);
  a.plain(kOctet, 0);
  a.plain(BPF_ALU | BPF_AND | BPF_K, 0x0f);
  a.plain(BPF_ALU | BPF_LSH | BPF_K, 2);
  a.plain(BPF_ALU | BPF_ADD | BPF_X);
  a.plain(BPF_MISC | BPF_TAX);
  a.jump(ports);

  a.here(ipv6);
  a.plain(kOctet, 6);
  a.jump_if_any(kProtocols, pass);
  a.jump_if_any(kExtensions, pass);
  a.jump_if(BPF_JEQ, kUdp, udp6);
  const auto hop_by_hop = a.place();
  a.jump_if(BPF_JEQ, kHopByHop, hop_by_hop);
  a.jump(drop);
  a.here(hop_by_hop);  // most often before a multicast listener report
  a.plain(kOctet, 40);
  a.jump_if(BPF_JEQ, kIcmpv6, drop);
  a.jump(pass);
  a.here(udp6);
  move_on(a, 40);

  a.here(ports);
  for (const std::uint32_t at : {0U, 2U}) {
    a.plain(kHalf, at);
    a.jump_if_any(kPorts, pass);
  }
  a.here(drop);
  a.plain(BPF_RET | BPF_K, 0);
  a.here(pass);
  a.plain(BPF_RET | BPF_K, kPass);
  return a.program();
}

std::vector<sock_filter> reject_all_filter() { return {{BPF_RET | BPF_K, 0, 0, 0}}; }

}  // namespace weir::capture
