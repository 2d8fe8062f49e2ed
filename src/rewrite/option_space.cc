#include "rewrite/option_space.h"

#include <algorithm>
#include <array>

#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6_extensions.h"
#include "wire/tcp_parse.h"

namespace weir::rewrite {
namespace {

constexpr std::size_t kLongestPacket = 65535;
constexpr std::size_t kDataOffsetField = 12;

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

/// A new option space, filled option by option.
struct Space {
  std::array<std::byte, kOptionSpace> octets{};
  std::size_t used = 0;
  bool full = false;

  void put(Bytes option) {
    if (option.size() > octets.size() - used) {
      full = true;
      return;
    }
    std::ranges::copy(option, octets.begin() + static_cast<std::ptrdiff_t>(used));
    used += option.size();
  }
  void fill(std::size_t upto) {
    if (upto > octets.size()) full = true;
    while (!full && used < upto) octets.at(used++) = std::byte{kNoOperation};
  }
};

/// The padding as the sender chose it, but for what stands around the replaced option: its own is used up first.
Space keeping_padding(Bytes old, const OptionPlace& option, Bytes replacement) {
  Space space;
  space.put(old.first(option.at));
  space.put(replacement);
  Bytes rest = old.subspan(option.at + option.bytes);
  while (!rest.empty() && rest.front() == std::byte{kNoOperation}) rest = rest.subspan(1);
  if (!rest.empty() && rest.front() == std::byte{kEndOfList}) rest = {};
  if (!rest.empty()) space.fill(std::max(padded(space.used), old.size() - rest.size()));
  space.put(rest);
  space.fill(std::max(padded(space.used), old.size()));
  return space;
}

/// No padding between options: 10 octets of time stamps and 30 of ADD_ADDR are 40. What follows a broken option is not read and not kept.
Space without_padding(Bytes old, const OptionPlace& option, Bytes replacement) {
  Space space;
  OptionPlaces places(old);
  while (const auto next = places.next()) {
    if (next->broken) break;
    space.put(next->at == option.at ? replacement : old.subspan(next->at, next->bytes));
  }
  space.fill(padded(space.used));
  return space;
}

/// Writes the packet's new length. False: a packet whose length no such field holds.
bool write_length(std::span<std::byte> packet) {
  if (packet.size() > kLongestPacket) return false;
  const auto first = fixed<wire::kIpv4Header>(packet);
  if (!first) return false;
  if (u8_at<0>(*first) >> 4U == 6) {
    const auto fields = fixed<wire::kIpv6Header>(packet);
    // Length 0 says jumbo payload, or a super-packet of the kernel's own.
    if (!fields || u16_at<4>(*fields) == 0) return false;
    ByteWriter(packet.subspan(4)).u16(static_cast<std::uint16_t>(packet.size() - wire::kIpv6Header));
    return true;
  }
  if (u16_at<2>(*first) == 0) return false;
  const std::size_t header = (u8_at<0>(*first) & 0x0fU) * std::size_t{4};
  if (header > packet.size()) return false;
  ByteWriter(packet.subspan(2)).u16(static_cast<std::uint16_t>(packet.size()));
  ByteWriter(packet.subspan(10)).u16(wire::ipv4_header_checksum(packet.first(header)));
  return true;
}

}  // namespace

std::optional<OptionPlace> OptionPlaces::next() {
  while (at_ < space_.size() && space_[at_] == std::byte{kNoOperation}) ++at_;
  ByteReader in(space_.subspan(at_));
  const std::uint8_t kind = in.u8();
  if (!in.ok() || kind == kEndOfList) {
    at_ = space_.size();
    return std::nullopt;
  }
  const std::size_t length = in.u8();
  const std::size_t left = space_.size() - at_;
  const OptionPlace place{.kind = kind, .at = at_, .bytes = length, .broken = length < 2 || length > left};
  if (!place.broken) {
    at_ += length;
    return place;
  }
  at_ = space_.size();
  return OptionPlace{.kind = kind, .at = place.at, .bytes = left, .broken = true};
}

std::expected<std::vector<std::byte>, Unchangeable> replace_option(Bytes packet, const TcpPlace& place, const OptionPlace& option, Bytes replacement) {
  const Bytes old = packet.subspan(place.options(), place.options_bytes);
  Space space = keeping_padding(old, option, replacement);
  if (space.full) space = without_padding(old, option, replacement);
  if (space.full) return std::unexpected(Unchangeable::kNoRoom);

  const Bytes payload = packet.subspan(place.payload(), place.end - place.payload());
  const std::size_t bytes = place.options() + space.used + payload.size();
  if (space.used > old.size() && !payload.empty() && bytes > kLongestGrown) return std::unexpected(Unchangeable::kNoRoom);
  std::vector<std::byte> changed(bytes);
  ByteWriter out(changed);
  out.bytes(packet.first(place.options()));
  out.bytes(Bytes(space.octets).first(space.used));
  out.bytes(payload);
  const auto low_nibble = std::to_integer<std::uint8_t>(changed.at(place.tcp + kDataOffsetField)) & 0x0fU;
  changed.at(place.tcp + kDataOffsetField) = static_cast<std::byte>((wire::kTcpHeader + space.used) / 4 << 4U | low_nibble);
  if (space.used != old.size() && !write_length(changed)) return std::unexpected(Unchangeable::kNoRoom);
  TcpPlace now = place;
  now.options_bytes = space.used;
  now.end = bytes;
  write_tcp_checksum(changed, now);
  return changed;
}

void erase_option(std::span<std::byte> packet, const TcpPlace& place, const OptionPlace& option) {
  std::ranges::fill(packet.subspan(place.options() + option.at, option.bytes), std::byte{kNoOperation});
}

void remove_option(std::span<std::byte> packet, const TcpPlace& place, const OptionPlace& option) {
  erase_option(packet, place, option);
  write_tcp_checksum(packet, place);
}

}  // namespace weir::rewrite
