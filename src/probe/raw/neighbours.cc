#include "probe/raw/neighbours.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace weir::probe::raw {
namespace {

constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd;
constexpr std::uint8_t kIcmpv6 = 58, kSolicitation = 135, kAdvertisement = 136;
constexpr std::size_t kIpv6Header = 40, kArp = 28, kDiscovery = 32;
constexpr std::uint16_t kArpRequest = 1, kArpReply = 2;
constexpr Mac kEveryone{std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};

Mac mac_of(Bytes octets) {
  Mac mac{};
  std::ranges::copy(octets.first(mac.size()), mac.begin());
  return mac;
}

void write_arp(std::span<std::byte> frame, std::uint16_t operation, const Mac& from, const IpAddress& from_ip, const Mac& to, const IpAddress& to_ip) {
  ByteWriter out(frame.subspan(kEthernetHeader));
  out.u16(1);
  out.u16(kTypeIpv4);
  out.u8(6);
  out.u8(4);
  out.u16(operation);
  out.bytes(from);
  out.bytes(std::as_bytes(from_ip.wire()));
  out.bytes(operation == kArpRequest ? Mac{} : to);
  out.bytes(std::as_bytes(to_ip.wire()));
}

}  // namespace

void write_ethernet(std::span<std::byte> frame, const Mac& to, const Mac& from, std::uint16_t type) {
  ByteWriter out(frame);
  out.bytes(to);
  out.bytes(from);
  out.u16(type);
}

bool Neighbours::is_ours(const IpAddress& address) const { return std::ranges::find(ours_, address) != ours_.end(); }

bool Neighbours::knows(const IpAddress& next_hop) const {
  const auto found = entries_.find(next_hop);
  return found != entries_.end() && found->second.mac;
}

const Mac* Neighbours::find(const IpAddress& next_hop, const IpAddress& from, std::span<const std::byte> frame, TimeNs now) {
  auto found = entries_.find(next_hop);
  if (found == entries_.end()) {
    if (entries_.size() >= kMost) return nullptr;
    found = entries_.emplace(next_hop, Entry{.mac = {}, .asked_ns = now - kAskAgainNs, .waiting = {}}).first;
  }
  Entry& entry = found->second;
  if (entry.mac) return &*entry.mac;
  if (!frame.empty()) entry.waiting.assign(frame.begin(), frame.end());
  if (now - entry.asked_ns >= kAskAgainNs) {
    entry.asked_ns = now;
    ask(next_hop, from);
  }
  return nullptr;
}

void Neighbours::ask(const IpAddress& next_hop, const IpAddress& from) {
  if (next_hop.is_v4()) {
    std::array<std::byte, kEthernetHeader + kArp> frame{};
    write_ethernet(frame, kEveryone, own_, kTypeArp);
    write_arp(frame, kArpRequest, own_, from, kEveryone, next_hop);
    send_(frame);
    return;
  }
  // The solicited-node group, ff02::1:ffXX:XXXX (RFC 4291 section 2.7.1), and its MAC (RFC 2464 section 7).
  IpAddress group;
  group.octets = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, next_hop.octets[13], next_hop.octets[14], next_hop.octets[15]};
  Mac mac{std::byte{0x33}, std::byte{0x33}, std::byte{0xff}};
  for (std::size_t i = 3; i < mac.size(); ++i) mac[i] = static_cast<std::byte>(next_hop.octets[i + 10]);
  send_discovery(kSolicitation, mac, group, from, next_hop, 0);
}

void Neighbours::send_discovery(std::uint8_t type, const Mac& to_mac, const IpAddress& to, const IpAddress& from, const IpAddress& about, std::uint32_t flags) {
  std::array<std::byte, kEthernetHeader + kIpv6Header + kDiscovery> frame{};
  write_ethernet(frame, to_mac, own_, kTypeIpv6);
  ByteWriter ip(std::span<std::byte>(frame).subspan(kEthernetHeader));
  ip.u32(0x60000000);
  ip.u16(kDiscovery);
  ip.u8(kIcmpv6);
  ip.u8(255);  // RFC 4861 section 7.1: nothing that came through a router is taken
  ip.bytes(std::as_bytes(std::span(from.octets)));
  ip.bytes(std::as_bytes(std::span(to.octets)));
  const auto body = std::span<std::byte>(frame).subspan(kEthernetHeader + kIpv6Header);
  ByteWriter out(body);
  out.u8(type);
  out.u8(0);
  out.u16(0);
  out.u32(flags);
  out.bytes(std::as_bytes(std::span(about.octets)));
  out.u8(type == kSolicitation ? 1 : 2);  // the sender's MAC, or the one asked for
  out.u8(1);
  out.bytes(own_);
  wire::ChecksumSum sum;
  sum.append(wire::pseudo_header_sum(from, to, kIcmpv6, kDiscovery), 2);
  sum.add(body);
  ByteWriter(body.subspan(2)).u16(sum.checksum());
  send_(frame);
}

void Neighbours::learn(const IpAddress& address, const Mac& mac) {
  // Only what was asked for: no one fills the table.
  const auto found = entries_.find(address);
  if (found == entries_.end()) return;
  found->second.mac = mac;
  std::vector<std::byte> waiting = std::exchange(found->second.waiting, {});
  if (waiting.size() < kEthernetHeader) return;
  std::ranges::copy(mac, waiting.begin());
  send_(waiting);
}

bool Neighbours::receive(std::span<const std::byte> frame) {
  const auto header = fixed<kEthernetHeader>(frame);
  if (!header) return false;
  const Bytes packet = frame.subspan(kEthernetHeader);
  const std::uint16_t type = u16_at<12>(*header);
  if (type == kTypeArp) {
    receive_arp(packet);
    return true;
  }
  if (type != kTypeIpv6 || packet.size() <= kIpv6Header || packet[6] != std::byte{kIcmpv6}) return false;
  const auto kind = std::to_integer<std::uint8_t>(packet[kIpv6Header]);
  if (kind != kSolicitation && kind != kAdvertisement) return false;
  receive_discovery(packet);
  return true;
}

void Neighbours::receive_arp(std::span<const std::byte> packet) {
  const auto arp = fixed<kArp>(packet);
  if (!arp || u16_at<2>(*arp) != kTypeIpv4) return;
  const Mac mac = mac_of(packet.subspan(8));
  const IpAddress sender = IpAddress::v4((*arp).subspan<14, 4>()), wanted = IpAddress::v4((*arp).subspan<24, 4>());
  if (u16_at<6>(*arp) == kArpReply) {
    learn(sender, mac);
  } else if (u16_at<6>(*arp) == kArpRequest && is_ours(wanted)) {
    std::array<std::byte, kEthernetHeader + kArp> frame{};
    write_ethernet(frame, mac, own_, kTypeArp);
    write_arp(frame, kArpReply, own_, wanted, mac, sender);
    send_(frame);
  }
}

void Neighbours::receive_discovery(std::span<const std::byte> packet) {
  constexpr std::size_t kFields = 24;  // type to target address
  const auto header = fixed<kIpv6Header>(packet);
  const auto fields = fixed<kFields>(packet.subspan(kIpv6Header));
  if (!header || !fields || u8_at<7>(*header) != 255) return;
  const IpAddress source = IpAddress::v6((*header).subspan<8, 16>()), about = IpAddress::v6((*fields).subspan<8, 16>());
  std::optional<Mac> mac;
  ByteReader options(packet.subspan(kIpv6Header + kFields));
  while (options.remaining() >= 8) {
    const std::uint8_t kind = options.u8(), length = options.u8();
    if (length == 0) return;
    const Bytes value = options.take(std::size_t{length} * 8 - 2);
    if (!options.ok()) return;
    if (kind == (u8_at<0>(*fields) == kSolicitation ? 1 : 2)) mac = mac_of(value);
  }
  if (!mac) return;
  if (u8_at<0>(*fields) == kAdvertisement) {
    learn(about, *mac);
  } else if (is_ours(about)) {
    constexpr std::uint32_t kSolicitedOverride = 0x60000000;
    send_discovery(kAdvertisement, *mac, source, about, about, kSolicitedOverride);
  }
}

}  // namespace weir::probe::raw
