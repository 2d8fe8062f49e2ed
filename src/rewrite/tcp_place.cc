#include "rewrite/tcp_place.h"

#include "wire/checksum.h"
#include "wire/decode.h"
#include "wire/ip_protocol.h"
#include "wire/tcp_parse.h"

namespace weir::rewrite {
namespace {

constexpr std::size_t kChecksumField = 16;

}  // namespace

std::string_view name_of(Unchangeable reason) {
  switch (reason) {
    case Unchangeable::kNotTcp:
      return "not_tcp";
    case Unchangeable::kFragment:
      return "fragment";
    case Unchangeable::kMalformed:
      return "malformed";
    case Unchangeable::kTunnel:
      return "tunnel";
    case Unchangeable::kCut:
      return "cut";
    case Unchangeable::kNoRoom:
      return "no_room";
  }
  return "unknown";
}

std::size_t TcpPlace::options() const { return tcp + wire::kTcpHeader; }

std::expected<TcpPlace, Unchangeable> find_tcp(Bytes packet) {
  wire::Decoded decoded;
  wire::decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, decoded);
  switch (decoded.kind) {
    case wire::Kind::kTcp:
      break;
    case wire::Kind::kFragment:
      return std::unexpected(Unchangeable::kFragment);
    case wire::Kind::kBad:
      return std::unexpected(Unchangeable::kMalformed);
    case wire::Kind::kOtherIp:
    case wire::Kind::kNotIp:
      return std::unexpected(Unchangeable::kNotTcp);
  }
  if (decoded.tunnel != 0) return std::unexpected(Unchangeable::kTunnel);
  const wire::TcpSegment& segment = decoded.tcp;
  const std::size_t segment_bytes = segment.header.size() + segment.payload.size();
  if (decoded.ip.size() != decoded.ip_bytes || segment.payload.size() != segment.payload_bytes || segment_bytes > decoded.ip.size())
    return std::unexpected(Unchangeable::kCut);
  return TcpPlace{.tcp = decoded.ip.size() - segment_bytes,
                  .options_bytes = segment.header.size() - wire::kTcpHeader,
                  .end = decoded.ip.size(),
                  .src = decoded.src,
                  .dst = decoded.dst};
}

void write_tcp_checksum(std::span<std::byte> packet, const TcpPlace& place) {
  const std::span<std::byte> segment = packet.subspan(place.tcp, place.end - place.tcp);
  ByteWriter(segment.subspan(kChecksumField)).u16(0);
  wire::ChecksumSum sum;
  sum.append(wire::pseudo_header_sum(place.src, place.dst, wire::kTcp, static_cast<std::uint32_t>(segment.size())), 2);
  sum.add(segment);
  ByteWriter(segment.subspan(kChecksumField)).u16(sum.checksum());
}

}  // namespace weir::rewrite
