// MPLS label stacks (RFC 3032) and what may stand below them, which nothing in the packet names.
#include "wire/ipv4.h"
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

constexpr std::size_t kControlWord = 4;

bool is_ipv4(Bytes bytes) {
  const auto fields = fixed<kIpv4Header>(bytes);
  if (!fields) return false;
  const std::size_t header_bytes = (u8_at<0>(*fields) & 0x0fU) * std::size_t{4};
  return header_bytes >= kIpv4Header && header_bytes <= bytes.size() && ipv4_checksum_fits(*fields, bytes.first(header_bytes));
}

bool is_ipv6(Bytes bytes, std::uint32_t wire_bytes) {
  const auto fields = fixed<40>(bytes);
  return fields && u16_at<4>(*fields) + std::uint32_t{40} == wire_bytes;
}

/// An Ethernet header whose type is one that can lead to IP, and agrees with what follows.
bool is_ethernet(Bytes bytes) {
  const auto header = fixed<15>(bytes);
  if (!header) return false;
  const unsigned version = u8_at<14>(*header) >> 4U;
  switch (u16_at<12>(*header)) {
    case 0x0800:
      return version == 4;
    case 0x86dd:
      return version == 6;
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
    case 0x8847:
    case 0x8848:
    case 0x8864:
    case 0x0806:
      return true;
    default:
      return false;
  }
}

}  // namespace

Layer mpls(Unwrap& u) {
  constexpr std::uint32_t kBottomOfStack = 0x100;
  for (;;) {
    const auto entry = u.take<4>();
    if (!entry) return u.fail(DecodeError::kMplsTruncated);
    if (u32_at<0>(*entry) & kBottomOfStack) break;
  }
  ByteReader in(u.bytes);
  // RFC 4928 §3: routers guess by the first nibble. A pseudo-wire without control word begins with any MAC address, 4 and 6
  // included, so that the guess is checked against what the headers say of themselves.
  switch (in.u8() >> 4U) {
    case 4:
      return is_ethernet(u.bytes) && !is_ipv4(u.bytes) ? Layer::kEthernet : Layer::kIpv4;
    case 6:
      return is_ethernet(u.bytes) && !is_ipv6(u.bytes, u.wire_bytes) ? Layer::kEthernet : Layer::kIpv6;
    case 0:
      // RFC 4385 §3: a control word begins with 0000.
      if (u.bytes.size() > kControlWord && is_ethernet(u.bytes.subspan(kControlWord))) {
        u.skip(kControlWord);
        return Layer::kEthernet;
      }
      break;
    default:
      break;
  }
  return is_ethernet(u.bytes) ? Layer::kEthernet : u.done(Kind::kNotIp);
}

}  // namespace weir::wire
