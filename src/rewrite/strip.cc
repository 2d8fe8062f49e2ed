#include "rewrite/strip.h"

#include "rewrite/option_space.h"

namespace weir::rewrite {
namespace {

bool is_meant(Bytes option, SubtypeSet subtypes) {
  ByteReader in(option);
  in.skip(2);
  const std::uint8_t subtype = in.u8() >> 4U;
  return !in.ok() || subtypes.has(subtype);
}

}  // namespace

std::expected<std::size_t, Unchangeable> strip_mptcp(std::span<std::byte> packet, SubtypeSet subtypes) {
  const auto place = find_tcp(packet);
  if (!place) return std::unexpected(place.error());
  const Bytes space = Bytes(packet).subspan(place->options(), place->options_bytes);
  std::size_t stripped = 0;
  // Erasing one leaves the walk where it was: the next option's place is told by the space before it only.
  OptionPlaces places(space);
  while (const auto option = places.next()) {
    if (option->kind != wire::mptcp::kOptionKind) continue;
    if (!option->broken && !is_meant(space.subspan(option->at, option->bytes), subtypes)) continue;
    erase_option(packet, *place, *option);
    ++stripped;
  }
  if (stripped > 0) write_tcp_checksum(packet, *place);
  return stripped;
}

}  // namespace weir::rewrite
