// Bytes that conditions are tried on: a part of a stream, or a whole buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::inspect::match {

/// Offsets [base, end()) of a stream. `ended`: nothing will ever follow (a whole buffer, or the end of the stream).
struct Window {
  std::span<const std::byte> bytes;
  std::uint64_t base = 0;
  bool ended = false;
  std::uint64_t end() const { return base + bytes.size(); }
};

/// A match: [first, end) are the bytes that it was made of, `position` where what is relative to it counts from.
struct Match {
  std::uint64_t first = 0, end = 0, position = 0;
};

}  // namespace weir::inspect::match
