// The octets that every option begins with: kind, length, subtype and the four bits beside it.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// Kind, length, and the octet that the subtype shares with four flags (RFC 8684 §3): all that is read before the rest.
inline constexpr std::size_t kLeastOption = 3;

/// Reads past kind and length; gives the four bits beside the subtype.
inline std::uint8_t read_low_nibble(ByteReader& in) {
  in.skip(2);
  return in.u8() & 0x0fU;
}

inline void write_start(ByteWriter& out, std::uint8_t length, Subtype subtype, std::uint8_t low_nibble) {
  out.u8(kOptionKind);
  out.u8(length);
  out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(subtype) << 4U | (low_nibble & 0x0fU)));
}

}  // namespace weir::wire::mptcp
