// Sequence numbers of the two levels. Both wrap, are total, and never abort.
#pragma once

#include <cstdint>

namespace weir {

/// A TCP sequence number (RFC 9293 §3.4): 32 bits, modulo 2^32.
struct SeqNum {
  std::uint32_t value = 0;

  friend constexpr SeqNum operator+(SeqNum a, std::uint32_t n) { return {a.value + n}; }
  friend constexpr SeqNum operator-(SeqNum a, std::uint32_t n) { return {a.value - n}; }
  /// Signed distance from b to a: positive if a comes after b.
  friend constexpr std::int32_t operator-(SeqNum a, SeqNum b) { return static_cast<std::int32_t>(a.value - b.value); }
  friend constexpr bool operator==(SeqNum, SeqNum) = default;
};

constexpr bool before(SeqNum a, SeqNum b) { return a - b < 0; }
constexpr bool after(SeqNum a, SeqNum b) { return a - b > 0; }

/// An MPTCP data sequence number (RFC 8684 §3.3.1): 64 bits, modulo 2^64.
struct DataSeq {
  std::uint64_t value = 0;

  friend constexpr DataSeq operator+(DataSeq a, std::uint64_t n) { return {a.value + n}; }
  friend constexpr DataSeq operator-(DataSeq a, std::uint64_t n) { return {a.value - n}; }
  friend constexpr std::int64_t operator-(DataSeq a, DataSeq b) { return static_cast<std::int64_t>(a.value - b.value); }
  friend constexpr bool operator==(DataSeq, DataSeq) = default;
};

constexpr bool before(DataSeq a, DataSeq b) { return a - b < 0; }
constexpr bool after(DataSeq a, DataSeq b) { return a - b > 0; }

/// The 64-bit number nearest to `near` whose low 32 bits are `low` (RFC 8684 §3.3.1: 4-octet DSNs and DATA_ACKs).
constexpr DataSeq extend(std::uint32_t low, DataSeq near) {
  const auto delta = static_cast<std::int32_t>(low - static_cast<std::uint32_t>(near.value));
  return {near.value + static_cast<std::uint64_t>(static_cast<std::int64_t>(delta))};
}

/// The position in an unwrapped 64-bit space nearest to `near` whose low 32 bits are `low` (subflow offsets over 4 GiB).
constexpr std::uint64_t unwrap(std::uint32_t low, std::uint64_t near) { return extend(low, DataSeq{near}).value; }

}  // namespace weir
