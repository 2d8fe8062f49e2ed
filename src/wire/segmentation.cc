#include "wire/segmentation.h"

#include <algorithm>
#include <optional>

#include "wire/checksum.h"
#include "wire/ip_protocol.h"
#include "wire/ipv4.h"
#include "wire/ipv6_extensions.h"
#include "wire/tcp_parse.h"

namespace weir::wire {
namespace {

constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kUrg = 0x20, kCwr = 0x80;
constexpr std::size_t kJumboHeader = 8;
constexpr std::size_t kFewest = 8;  // octets of payload that a segment must have room for, or it is not cut at all

void put8(std::span<std::byte> out, std::size_t at, std::uint8_t value) { ByteWriter(out.subspan(at)).u8(value); }
void put16(std::span<std::byte> out, std::size_t at, std::size_t value) { ByteWriter(out.subspan(at)).u16(static_cast<std::uint16_t>(value)); }
void put32(std::span<std::byte> out, std::size_t at, std::uint32_t value) { ByteWriter(out.subspan(at)).u32(value); }

std::size_t offset_in(Bytes whole, Bytes part) { return static_cast<std::size_t>(part.data() - whole.data()); }

/// The octets of `frame` that go before each TCP header, the IP packet's from `ip_at` on. Without the hop-by-hop header that only
/// says how long a super-packet is (RFC 2675, as Linux writes it): a segment fits its length field.
void put_headers(Bytes frame, std::size_t ip_at, std::size_t tcp_at, std::vector<std::byte>& out) {
  const Bytes headers = frame.first(tcp_at);
  const auto start = fixed<kIpv6Header + kJumboHeader>(headers.subspan(ip_at));
  const bool jumbo = start && u8_at<0>(*start) >> 4U == 6 && u16_at<4>(*start) == 0 && u8_at<6>(*start) == kHopByHop && u8_at<kIpv6Header + 1>(*start) == 0;
  if (!jumbo) {
    out.assign(headers.begin(), headers.end());
    return;
  }
  const Bytes before = headers.first(ip_at + kIpv6Header), after = headers.subspan(ip_at + kIpv6Header + kJumboHeader);
  out.assign(before.begin(), before.end());
  put8(out, ip_at + 6, u8_at<kIpv6Header>(*start));
  out.insert(out.end(), after.begin(), after.end());
}

/// The transport checksum of a segment that lies in `segment`, its own field (2 octets at `field`) counted as 0.
std::uint16_t transport_checksum(const Decoded& decoded, std::uint8_t protocol, std::span<std::byte> segment, std::size_t field) {
  put16(segment, field, 0);
  ChecksumSum sum;
  sum.append(pseudo_header_sum(decoded.src, decoded.dst, protocol, static_cast<std::uint32_t>(segment.size())), 2);
  sum.add(segment);
  return sum.checksum();
}

constexpr std::size_t kTcpChecksum = 16, kUdpChecksum = 6, kUdpHeader = 8;

/// The UDP datagram that is all of the innermost packet behind a plain header.
std::optional<Bytes> udp_of(const Decoded& decoded) {
  if (decoded.kind != Kind::kOtherIp || decoded.protocol != kUdp || decoded.ip.size() < decoded.ip_bytes) return std::nullopt;
  const auto first = fixed<kIpv4Header>(decoded.ip);
  if (!first) return std::nullopt;
  if (decoded.ip_version == 6 && u8_at<6>(*first) != kUdp) return std::nullopt;  // behind extension headers: seldom, and never unfinished
  const std::size_t header = decoded.ip_version == 4 ? (u8_at<0>(*first) & 0x0fU) * std::size_t{4} : kIpv6Header;
  if (decoded.ip.size() < header + kUdpHeader) return std::nullopt;
  const Bytes datagram = decoded.ip.subspan(header);
  if (u16_at<4>(*fixed<kUdpHeader>(datagram)) != datagram.size()) return std::nullopt;
  return datagram;
}

}  // namespace

Segmentation::Result Segmentation::operator()(std::span<const std::byte> frame, const Decoded& decoded, const Asked& asked, const Emit& emit) {
  if (frame.size() > asked.at + asked.ip_bytes) {
    if (decoded.kind != Kind::kTcp) return Result::kTooLong;
    const ChecksumState state = check_tcp_checksum(decoded);
    if (state == ChecksumState::kUnknown) return Result::kTooLong;
    return cut(frame, decoded, asked, state != ChecksumState::kWrong || asked.trust_wrong_checksums, emit) ? Result::kCut : Result::kTooLong;
  }
  if (finish(frame, decoded)) {
    emit(buffer_);
    return Result::kFinished;
  }
  emit(frame);
  return Result::kAsItWas;
}

bool Segmentation::finish(std::span<const std::byte> frame, const Decoded& decoded) {
  Bytes segment;
  std::uint8_t protocol = kTcp;
  std::size_t field = kTcpChecksum;
  if (decoded.kind == Kind::kTcp) {
    if (check_tcp_checksum(decoded) != ChecksumState::kPseudoHeader) return false;
    segment = decoded.ip.last(decoded.tcp.header.size() + decoded.tcp.payload.size());
  } else if (const auto datagram = udp_of(decoded)) {
    const std::uint16_t found = u16_at<kUdpChecksum>(*fixed<kUdpHeader>(*datagram));
    const std::uint16_t pseudo = pseudo_header_sum(decoded.src, decoded.dst, kUdp, static_cast<std::uint32_t>(datagram->size()));
    if (found == 0 || found != pseudo || ones_complement_add(pseudo, ones_complement_sum(*datagram)) == 0xffffU) return false;
    segment = *datagram;
    protocol = kUdp;
    field = kUdpChecksum;
  } else {
    return false;
  }
  buffer_.assign(frame.begin(), frame.end());
  const auto copy = std::span(buffer_).subspan(offset_in(frame, segment), segment.size());
  const std::uint16_t sum = transport_checksum(decoded, protocol, copy, field);
  put16(copy, field, protocol == kUdp && sum == 0 ? 0xffff : sum);  // RFC 768: 0 says that there is none
  return true;
}

bool Segmentation::cut(std::span<const std::byte> frame, const Decoded& decoded, const Asked& asked, bool right, const Emit& emit) {
  const TcpSegment& tcp = decoded.tcp;
  const std::size_t ip_at = asked.at;
  // Lengths of what lies around it (a tunnel, PPPoE) would have to be written anew.
  if (decoded.tunnel != 0 || offset_in(frame, decoded.ip) != ip_at) return false;
  const auto flags = tcp.flags;
  if (flags.syn() || flags.rst()) return false;  // no stack merges them

  put_headers(frame, ip_at, offset_in(frame, tcp.header), buffer_);
  const std::size_t tcp_at = buffer_.size(), header = tcp.header.size(), payload_at = tcp_at + header;
  if (payload_at - ip_at + kFewest > asked.ip_bytes) return false;
  const std::size_t room = asked.ip_bytes - (payload_at - ip_at);
  buffer_.insert(buffer_.end(), tcp.header.begin(), tcp.header.end());
  const auto fields = fixed<kTcpHeader>(tcp.header);
  if (!fields) return false;
  const std::uint16_t urgent = u16_at<18>(*fields);

  for (std::size_t from = 0, number = 0; from < tcp.payload.size(); from += room, ++number) {
    const Bytes piece = tcp.payload.subspan(from, std::min(room, tcp.payload.size() - from));
    const bool last = from + piece.size() == tcp.payload.size();
    buffer_.resize(payload_at + piece.size());
    const std::span<std::byte> out(buffer_);
    std::ranges::copy(piece, out.begin() + static_cast<std::ptrdiff_t>(payload_at));

    std::uint8_t bits = flags.bits;
    if (!last) bits &= static_cast<std::uint8_t>(~(kFin | kPsh));
    if (from > 0) bits &= static_cast<std::uint8_t>(~kCwr);  // RFC 3168 §6.1.2: said once
    if (urgent <= from) bits &= static_cast<std::uint8_t>(~kUrg);
    put32(out, tcp_at + 4, (tcp.seq + static_cast<std::uint32_t>(from)).value);
    put8(out, tcp_at + 13, bits);
    put16(out, tcp_at + 18, (bits & kUrg) != 0 ? urgent - from : 0);
    if (decoded.ip_version == 4) {
      put16(out, ip_at + 2, out.size() - ip_at);
      put16(out, ip_at + 4, decoded.ip_id + number);
      put16(out, ip_at + 10, ipv4_header_checksum(out.subspan(ip_at, tcp_at - ip_at)));
    } else {
      put16(out, ip_at + 4, out.size() - ip_at - kIpv6Header);
    }
    const std::uint16_t sum = transport_checksum(decoded, kTcp, out.subspan(tcp_at), kTcpChecksum);
    put16(out, tcp_at + kTcpChecksum, right ? sum : sum ^ 1U);
    emit(buffer_);
  }
  return true;
}

}  // namespace weir::wire
