// Who is behind a next hop's address on an Ethernet link: ARP (RFC 826) and neighbour discovery (RFC 4861), asked and answered. Pure:
// frames in and out, time comes in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/ip_address.h"
#include "base/raw_packet.h"

namespace weir::probe::raw {

using Mac = std::array<std::byte, 6>;
inline constexpr std::size_t kEthernetHeader = 14;

/// An Ethernet header's 14 octets to the front of `frame`, which has room for them.
void write_ethernet(std::span<std::byte> frame, const Mac& to, const Mac& from, std::uint16_t type);

/// Purpose: MACs of next hops, asked for when needed; answers for addresses that are ours and not the kernel's.
/// Limits: kMost next hops; at the limit a new one is not asked for. A packet waits for its next hop's answer, the latest alone.
/// Ownership: none but its tables. One owner, one thread.
class Neighbours {
 public:
  static constexpr std::size_t kMost = 65'536;
  static constexpr TimeNs kAskAgainNs = 200'000'000;
  using Send = std::function<void(std::span<const std::byte> frame)>;

  Neighbours(Mac own, Send send) : own_(own), send_(std::move(send)) {}

  /// An address that the kernel does not have: questions for it are answered here.
  void answer_for(const IpAddress& address) { ours_.push_back(address); }

  /// The MAC, or none yet: it was asked for, and `frame` (header included, the MAC to be filled in) goes when the answer is here.
  const Mac* find(const IpAddress& next_hop, const IpAddress& from, std::span<const std::byte> frame, TimeNs now);
  bool knows(const IpAddress& next_hop) const;
  /// A frame of ARP or ICMPv6; others are let alone. True: it was one of those.
  bool receive(std::span<const std::byte> frame);

 private:
  struct Entry {
    std::optional<Mac> mac;
    TimeNs asked_ns = 0;
    std::vector<std::byte> waiting;
  };
  void ask(const IpAddress& next_hop, const IpAddress& from);
  void learn(const IpAddress& address, const Mac& mac);
  void receive_arp(std::span<const std::byte> packet);
  void receive_discovery(std::span<const std::byte> packet);
  void send_discovery(std::uint8_t type, const Mac& to_mac, const IpAddress& to, const IpAddress& from, const IpAddress& about, std::uint32_t flags);
  bool is_ours(const IpAddress& address) const;

  Mac own_;
  Send send_;
  std::vector<IpAddress> ours_;
  std::map<IpAddress, Entry> entries_;
};

}  // namespace weir::probe::raw
