// The option space of a TCP header, option by option (RFC 9293 §3.1): where each lies, and putting one in another's place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "rewrite/tcp_place.h"

namespace weir::rewrite {

inline constexpr std::size_t kOptionSpace = 40;  ///< octets that a data offset of 15 leaves

inline constexpr std::uint8_t kEndOfList = 0;
inline constexpr std::uint8_t kNoOperation = 1;

/// Where an option lies in its space.
struct OptionPlace {
  std::uint8_t kind = 0;
  std::size_t at = 0;
  std::size_t bytes = 0;
  bool broken = false;  ///< its length is below 2 or runs past the space: receivers stop reading here; `bytes` is all that is left
};

/// Walks an option space as receivers do: past no-operations, up to the end of the list or the first broken option. Owns nothing.
class OptionPlaces {
 public:
  explicit OptionPlaces(Bytes space) : space_(space) {}
  std::optional<OptionPlace> next();

 private:
  Bytes space_;
  std::size_t at_ = 0;
};

/// The packet with `replacement` (whole option, or nothing) where the option at `option` stood. The space keeps its length where that is possible and
/// grows otherwise; padding between options goes where it must. kNoRoom: more than 40 octets, or more payload than may become longer
/// on any path (see kLongestGrown).
std::expected<std::vector<std::byte>, Unchangeable> replace_option(Bytes packet, const TcpPlace& place, const OptionPlace& option, Bytes replacement);

/// A packet with payload does not become longer than what every path carries (RFC 8200 §5): no one would tell its sender that it is too long.
inline constexpr std::size_t kLongestGrown = 1280;

/// Makes an option no-operations, in place. The checksum is the caller's.
void erase_option(std::span<std::byte> packet, const TcpPlace& place, const OptionPlace& option);

/// The same, and the checksum is written.
void remove_option(std::span<std::byte> packet, const TcpPlace& place, const OptionPlace& option);

}  // namespace weir::rewrite
