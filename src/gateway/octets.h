// Fields appended to octets that a later process reads (ByteReader).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ip_address.h"

namespace weir::gateway {

/// Purpose: the writing side. Ownership: the octets. A value.
class Octets {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    for (unsigned shift = 8 * sizeof(T); shift > 0;) octets_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (shift -= 8)));
  }
  void flag(bool value) { octets_.push_back(static_cast<std::byte>(value)); }
  void address(const IpAddress& address) {
    for (const std::uint8_t octet : address.octets) number(octet);
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    for (const char c : text) octets_.push_back(static_cast<std::byte>(c));
  }
  void block(Bytes block) {
    number(static_cast<std::uint64_t>(block.size()));
    octets_.insert(octets_.end(), block.begin(), block.end());
  }
  Bytes written() const { return octets_; }
  std::vector<std::byte> take() { return std::move(octets_); }

 private:
  std::vector<std::byte> octets_;
};

}  // namespace weir::gateway
