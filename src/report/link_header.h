// Link headers: taking them off, and making them for packets that no one sent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/raw_packet.h"

namespace weir::report {

/// Where an IP packet begins in a frame; VLAN tags are passed. nullopt: the frame holds none (ARP, truncated and the like).
/// Only the link's own header is looked at: tunnels are part of the IP packet.
std::optional<std::size_t> ip_offset(LinkType link, std::span<const std::byte> frame);

/// The link type that frames of `link` are written with: kIpv4 and kIpv6 become kRaw, which holds both; unsupported ones kEthernet.
LinkType written_as(LinkType link);

/// Purpose: link headers of one flow's made-up packets, in both directions. Values; no state besides.
class LinkHeader {
 public:
  /// Zero addresses.
  explicit LinkHeader(LinkType link = LinkType::kEthernet);
  /// As the header of `frame`, a packet from the client if `from_client`. VLAN tags are left out.
  LinkHeader(LinkType link, std::span<const std::byte> frame, bool from_client);

  /// Octets of the header (the same for every packet of a link type).
  std::size_t size() const { return size_; }
  /// Writes the header of an IP packet of `ip_bytes` octets into out[0..size()).
  void write(std::span<std::byte> out, bool from_client, bool ipv6, std::size_t ip_bytes) const;

 private:
  static constexpr std::size_t kLongest = 20;

  LinkType link_;
  std::size_t size_;
  bool from_client_ = true;     // whose packet `bytes_` is the header of
  bool little_endian_ = false;  // kNull: the byte order of the machine that captured
  std::array<std::byte, kLongest> bytes_{};
};

}  // namespace weir::report
