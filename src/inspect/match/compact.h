// State that waits for its next use, in few octets: numbers as long as they need, bytes by what they share with bytes kept anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inspect::match {

/// Purpose: writes what a CompactReader takes apart again, field by field, in the same order. Owner: whoever packs.
class CompactWriter {
 public:
  static constexpr std::size_t kMostBytes = 1U << 20U;
  void octet(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
  /// Seven bits an octet, the lowest first.
  void number(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7U) octet(static_cast<std::uint8_t>(value | 0x80U));
    octet(static_cast<std::uint8_t>(value));
  }
  void bytes(std::span<const std::byte> value) {
    number(value.size());
    out_.insert(out_.end(), value.begin(), value.end());
  }
  /// At most kMostBytes, that are zeros in part, or stand in `reference` too, which the reader has then.
  void bytes_like(std::span<const std::byte> value, std::span<const std::byte> reference);

  std::span<const std::byte> written() const { return out_; }
  void clear() { out_.clear(); }

 private:
  std::vector<std::byte> out_;
};

/// Purpose: reads what a CompactWriter of this program wrote. Reads past the end give zeros and make ok() false. Owns nothing.
class CompactReader {
 public:
  explicit CompactReader(std::span<const std::byte> packed) : rest_(packed) {}
  bool ok() const { return ok_; }
  std::uint8_t octet();
  std::uint64_t number();
  std::span<const std::byte> bytes();
  std::vector<std::byte> bytes_like(std::span<const std::byte> reference);

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace weir::inspect::match
