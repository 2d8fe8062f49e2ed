// The Internet checksum (RFC 1071): ones' complement sums of 16-bit big-endian words, of pieces at any offset.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/ip_address.h"

namespace weir::wire {

/// The folded sum of the octets as 16-bit big-endian words; an odd last octet is the high half of a word (RFC 1071 §4.1).
/// Not inverted. Nonzero octets never sum to 0, so that a range that holds its right checksum sums to 0xffff.
std::uint16_t ones_complement_sum(Bytes bytes);

/// The sum of two folded sums.
constexpr std::uint16_t ones_complement_add(std::uint16_t a, std::uint16_t b) {
  const std::uint32_t sum = std::uint32_t{a} + b;
  return static_cast<std::uint16_t>(sum + (sum >> 16U));
}

/// Sums pieces that lie end to end, each of any length, in order. Sample use: a DSS checksum over a mapping that came in
/// several segments. A value; copy it to keep a state.
class ChecksumSum {
 public:
  void add(Bytes bytes) { append(ones_complement_sum(bytes), bytes.size()); }
  void add16(std::uint16_t value) { append(value, 2); }
  void add32(std::uint32_t value) { append(ones_complement_add(static_cast<std::uint16_t>(value >> 16U), static_cast<std::uint16_t>(value)), 4); }
  void add64(std::uint64_t value) {
    add32(static_cast<std::uint32_t>(value >> 32U));
    add32(static_cast<std::uint32_t>(value));
  }
  /// A piece of `octets` octets whose sum is known. At an odd offset its octets stand in the other halves of the words,
  /// which swaps the sum's octets (RFC 1071 §2 B).
  void append(std::uint16_t sum, std::size_t octets) {
    sum_ = ones_complement_add(sum_, odd_ ? std::byteswap(sum) : sum);
    odd_ ^= (octets & 1U) != 0;
  }

  std::uint16_t sum() const { return sum_; }
  /// What a header's field holds: the sum inverted.
  std::uint16_t checksum() const { return static_cast<std::uint16_t>(~sum_); }

 private:
  std::uint16_t sum_ = 0;
  bool odd_ = false;
};

/// The checksum that an IPv4 header should hold (RFC 791 §3.1), its own field counted as 0.
std::uint16_t ipv4_header_checksum(Bytes header);

/// The sum of the pseudo-header: RFC 9293 §3.1 for IPv4, RFC 8200 §8.1 for IPv6. Not inverted.
std::uint16_t pseudo_header_sum(const IpAddress& src, const IpAddress& dst, std::uint8_t protocol, std::uint32_t length);

}  // namespace weir::wire
