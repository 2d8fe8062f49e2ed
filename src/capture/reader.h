// What the readers of the two formats share: octets in either order, and how a reading ends.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "capture/error.h"
#include "capture/points.h"
#include "capture/window.h"

namespace weir::capture {

enum class Status : std::uint8_t {
  kPacket,  ///< one was read
  kEnd,     ///< there are no more
  kError,   ///< there are no more that can be read; said once, then kEnd
};

/// An integer of the file, whose writer had the other byte order if `swapped`.
template <typename T>
T load(const std::byte* at, bool swapped) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return swapped ? std::byteswap(value) : value;
}

/// A capture being read: its octets, its place among the capture points, its first error.
struct Source {
  std::string path;
  Window window;
  PointTable& points;
  PointTable::FileId file;
  std::optional<Error> error{};
  bool ended = false;
  std::optional<std::uint32_t> unsupported_link{};  ///< the first such number met
  std::uint64_t unsupported_packets = 0;

  /// Remembers the first thing that is wrong.
  void note(std::uint64_t offset, std::string what, std::string hint = {}) {
    if (!error) error = Error{path, offset, std::move(what), std::move(hint)};
  }
  /// There is no going on from here.
  Status fail(std::uint64_t offset, std::string what, std::string hint = {}) {
    note(offset, std::move(what), std::move(hint));
    return end();
  }
  Status end() {
    ended = true;
    return error ? Status::kError : Status::kEnd;
  }
  /// The input ended, or failed, at a place where `wanted` octets more were due; none are due between records.
  Status stopped(std::uint64_t wanted) {
    if (window.shortened()) return fail(window.offset(), "was shortened by another program while it was read");
    if (!window.failure().empty()) return fail(window.offset(), window.failure(), "what came before was read");
    if (wanted > 0)
      return fail(window.offset() + window.left(),
                  "is cut off: " + std::to_string(window.to_skip() + wanted - window.left()) + " more octets are due at its end", "what came before was read");
    return end();
  }
};

}  // namespace weir::capture
