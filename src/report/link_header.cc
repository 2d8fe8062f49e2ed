#include "report/link_header.h"

#include <algorithm>

namespace weir::report {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherIpv6 = 0x86dd, kEtherVlan = 0x8100, kEtherQinQ = 0x88a8, kEtherOldQinQ = 0x9100, kEtherPppoe = 0x8864;
constexpr std::uint16_t kPppIpv4 = 0x0021, kPppIpv6 = 0x0057;
constexpr std::size_t kMac = 6, kEthernet = 14, kVlanTag = 4, kSll = 16, kSll2 = 20, kPppoe = 6;

std::uint16_t read16(std::span<const std::byte> in, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(in[at]) << 8 | std::to_integer<unsigned>(in[at + 1]));
}

void write16(std::span<std::byte> out, std::size_t at, std::size_t value) {
  out[at] = static_cast<std::byte>(value >> 8 & 0xff);
  out[at + 1] = static_cast<std::byte>(value & 0xff);
}

std::optional<std::size_t> if_ip(std::span<const std::byte> frame, std::size_t at) {
  if (at >= frame.size()) return std::nullopt;
  const auto version = std::to_integer<unsigned>(frame[at]) >> 4;
  if (version != 4 && version != 6) return std::nullopt;
  return at;
}

std::optional<std::size_t> after_ppp(std::span<const std::byte> frame, std::size_t at) {
  if (frame.size() >= at + 2 && frame[at] == std::byte{0xff} && frame[at + 1] == std::byte{0x03}) at += 2;
  if (frame.size() < at + 2) return std::nullopt;
  const std::uint16_t protocol = read16(frame, at);
  if (protocol != kPppIpv4 && protocol != kPppIpv6) return std::nullopt;
  return if_ip(frame, at + 2);
}

/// `at` is where the ethertype's payload starts.
std::optional<std::size_t> after_ethertype(std::span<const std::byte> frame, std::uint16_t type, std::size_t at) {
  while ((type == kEtherVlan || type == kEtherQinQ || type == kEtherOldQinQ) && frame.size() >= at + kVlanTag) {
    type = read16(frame, at + 2);
    at += kVlanTag;
  }
  if (type == kEtherPppoe) return frame.size() < at + kPppoe ? std::nullopt : after_ppp(frame, at + kPppoe);
  if (type != kEtherIpv4 && type != kEtherIpv6) return std::nullopt;
  return if_ip(frame, at);
}

std::size_t header_size(LinkType link) {
  switch (link) {
    case LinkType::kNull:
    case LinkType::kLoop:
      return 4;
    case LinkType::kPpp:
      return 2;
    case LinkType::kPppHdlc:
      return 4;
    case LinkType::kPppEther:
      return kPppoe + 2;
    case LinkType::kRaw:
      return 0;
    case LinkType::kLinuxSll:
      return kSll;
    case LinkType::kLinuxSll2:
      return kSll2;
    default:
      return kEthernet;
  }
}

}  // namespace

std::optional<std::size_t> ip_offset(LinkType link, std::span<const std::byte> frame) {
  switch (link) {
    case LinkType::kNull:
    case LinkType::kLoop:
      return if_ip(frame, 4);
    case LinkType::kRaw:
    case LinkType::kIpv4:
    case LinkType::kIpv6:
      return if_ip(frame, 0);
    case LinkType::kPpp:
    case LinkType::kPppHdlc:
      return after_ppp(frame, 0);
    case LinkType::kPppEther:
      return frame.size() < kPppoe ? std::nullopt : after_ppp(frame, kPppoe);
    case LinkType::kLinuxSll:
      return frame.size() < kSll ? std::nullopt : after_ethertype(frame, read16(frame, 14), kSll);
    case LinkType::kLinuxSll2:
      return frame.size() < kSll2 ? std::nullopt : after_ethertype(frame, read16(frame, 0), kSll2);
    case LinkType::kEthernet:
      return frame.size() < kEthernet ? std::nullopt : after_ethertype(frame, read16(frame, 12), kEthernet);
    default:
      return std::nullopt;
  }
}

LinkType written_as(LinkType link) {
  switch (link) {
    case LinkType::kIpv4:
    case LinkType::kIpv6:
      return LinkType::kRaw;
    case LinkType::kUnsupported:
      return LinkType::kEthernet;
    default:
      return link;
  }
}

LinkHeader::LinkHeader(LinkType link) : link_(written_as(link)), size_(header_size(link_)) {
  if (link_ == LinkType::kPppEther) bytes_[0] = std::byte{0x11};  // RFC 2516 §4: version 1, type 1
  if (link_ == LinkType::kPppHdlc) bytes_[0] = std::byte{0xff}, bytes_[1] = std::byte{0x03};
  // ARPHRD_ETHER and an address of 6 octets, as most cooked captures have.
  if (link_ == LinkType::kLinuxSll) bytes_[3] = std::byte{1}, bytes_[5] = std::byte{6};
  if (link_ == LinkType::kLinuxSll2) bytes_[9] = std::byte{1}, bytes_[11] = std::byte{6};
}

LinkHeader::LinkHeader(LinkType link, std::span<const std::byte> frame, bool from_client) : LinkHeader(link) {
  from_client_ = from_client;
  if (frame.size() < size_ || link == LinkType::kPpp || link == LinkType::kPppHdlc) return;  // PPP: nothing in it to keep
  if (link_ == LinkType::kNull) {
    little_endian_ = frame[0] != std::byte{0};
    return;
  }
  std::copy_n(frame.begin(), size_, bytes_.begin());
}

void LinkHeader::write(std::span<std::byte> out, bool from_client, bool ipv6, std::size_t ip_bytes) const {
  static constexpr std::byte kToUs{0}, kFromUs{4};  // packet types of cooked headers
  std::copy_n(bytes_.begin(), size_, out.begin());
  const bool turned = from_client != from_client_;
  const std::uint16_t ethertype = ipv6 ? kEtherIpv6 : kEtherIpv4, ppp = ipv6 ? kPppIpv6 : kPppIpv4;
  const auto turn_cooked = [&](std::size_t type, std::size_t address) {
    if (!turned) return;
    out[type] = bytes_[type] == kFromUs ? kToUs : kFromUs;
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(address), 8, std::byte{0});  // only the sender's is told
  };
  switch (link_) {
    case LinkType::kNull:
    case LinkType::kLoop: {
      // AF_INET is 2 everywhere; of the numbers that AF_INET6 has, 30 is the one that BSDs of today's capture files use most.
      const auto family = static_cast<std::byte>(ipv6 ? 30 : 2);
      std::fill_n(out.begin(), 4, std::byte{0});
      out[little_endian_ ? 0 : 3] = family;
      break;
    }
    case LinkType::kPpp:
      write16(out, 0, ppp);
      break;
    case LinkType::kPppHdlc:
      write16(out, 2, ppp);
      break;
    case LinkType::kPppEther:
      write16(out, 4, ip_bytes + 2);
      write16(out, kPppoe, ppp);
      break;
    case LinkType::kRaw:
      break;
    case LinkType::kLinuxSll:
      turn_cooked(1, 6);
      out[0] = std::byte{0};
      write16(out, 14, ethertype);
      break;
    case LinkType::kLinuxSll2:
      turn_cooked(10, 12);
      write16(out, 0, ethertype);
      break;
    default:
      if (turned) {
        std::copy_n(bytes_.begin(), kMac, out.begin() + kMac);
        std::copy_n(bytes_.begin() + kMac, kMac, out.begin());
      }
      write16(out, 12, ethertype);
      break;
  }
}

}  // namespace weir::report
