#include "probe/raw/icmp_quote.h"

#include <algorithm>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace weir::probe::raw {
namespace {

constexpr std::uint8_t kTcp = 6, kIcmp = 1, kIcmpv6 = 58;
constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kIcmpHeader = 8, kTcpQuoted = 8;

struct IpPart {
  IpAddress src, dst;
  std::uint8_t protocol = 0;
  Bytes payload;
};

/// An IP header and what is there of its payload. IPv6 extension headers are none that we send.
std::optional<IpPart> read_ip(Bytes packet) {
  IpPart part;
  const unsigned version = packet.empty() ? 0 : std::to_integer<unsigned>(packet[0]) >> 4U;
  if (version == 4) {
    const auto header = fixed<kIpv4Header>(packet);
    if (!header) return std::nullopt;
    const std::size_t header_bytes = (u8_at<0>(*header) & 0x0fU) * std::size_t{4};
    const std::size_t total = u16_at<2>(*header);
    // A fragment other than the first has no TCP header.
    if (header_bytes < kIpv4Header || header_bytes > packet.size() || total < header_bytes || (u16_at<6>(*header) & 0x1fffU) != 0) return std::nullopt;
    part.src = IpAddress::v4((*header).subspan<12, 4>());
    part.dst = IpAddress::v4((*header).subspan<16, 4>());
    part.protocol = u8_at<9>(*header);
    part.payload = packet.first(std::min(packet.size(), total)).subspan(header_bytes);
    return part;
  }
  const auto header = fixed<kIpv6Header>(packet);
  if (version != 6 || !header) return std::nullopt;
  part.src = IpAddress::v6((*header).subspan<8, 16>());
  part.dst = IpAddress::v6((*header).subspan<24, 16>());
  part.protocol = u8_at<6>(*header);
  part.payload = packet.subspan(kIpv6Header);
  part.payload = part.payload.first(std::min<std::size_t>(part.payload.size(), u16_at<4>(*header)));
  return part;
}

bool checksum_right(const IpPart& outer) {
  wire::ChecksumSum sum;
  if (outer.protocol == kIcmpv6) sum.append(wire::pseudo_header_sum(outer.src, outer.dst, kIcmpv6, static_cast<std::uint32_t>(outer.payload.size())), 2);
  sum.add(outer.payload);
  return sum.checksum() == 0;
}

}  // namespace

std::optional<IcmpQuote> read_icmp_quote(std::span<const std::byte> packet) {
  const auto outer = read_ip(packet);
  if (!outer || (outer->protocol != kIcmp && outer->protocol != kIcmpv6)) return std::nullopt;
  const auto icmp = fixed<kIcmpHeader>(outer->payload);
  if (!icmp || !checksum_right(*outer)) return std::nullopt;
  IcmpQuote quote;
  quote.router = outer->src;
  quote.type = u8_at<0>(*icmp);
  quote.code = u8_at<1>(*icmp);
  const bool v6 = outer->protocol == kIcmpv6;
  quote.unreachable = quote.type == (v6 ? 1 : 3);
  quote.time_exceeded = quote.type == (v6 ? 3 : 11);
  if (!quote.unreachable && !quote.time_exceeded) return std::nullopt;
  Bytes rest = outer->payload.subspan(kIcmpHeader);
  // RFC 4884: an original datagram whose length is told is padded behind it, and extensions follow.
  const std::size_t told = v6 ? u8_at<4>(*icmp) * std::size_t{8} : u8_at<5>(*icmp) * std::size_t{4};
  if (told != 0) rest = rest.first(std::min(rest.size(), told));
  const auto inner = read_ip(rest);
  if (!inner || inner->protocol != kTcp) return std::nullopt;
  const auto tcp = fixed<kTcpQuoted>(inner->payload);
  if (!tcp) return std::nullopt;
  quote.src = inner->src;
  quote.dst = inner->dst;
  quote.src_port = u16_at<0>(*tcp);
  quote.dst_port = u16_at<2>(*tcp);
  quote.seq = u32_at<4>(*tcp);
  quote.tcp = inner->payload;
  return quote;
}

}  // namespace weir::probe::raw
