// Payloads of one size, made once, with their checksums' sums: so that a gigabyte costs little more than its copying.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::bench {

struct Payload {
  std::span<const std::byte> bytes;
  std::uint32_t sum = 0;  ///< of 16-bit big-endian words, folded
};

class PayloadPool {
 public:
  explicit PayloadPool(std::size_t size, std::size_t pieces = 512);
  Payload piece(std::uint64_t number) const;
  std::uint32_t size() const { return static_cast<std::uint32_t>(size_); }

 private:
  std::size_t size_;
  std::vector<std::byte> bytes_;
  std::vector<std::uint32_t> sums_;
};

/// The folded sum of 16-bit big-endian words (RFC 1071); an odd last octet is the high half of a word.
std::uint32_t sum_words(std::span<const std::byte> bytes);

/// A number that looks random and depends on nothing but `n`: equal runs give equal captures.
std::uint64_t mix(std::uint64_t n);

}  // namespace weir::bench
