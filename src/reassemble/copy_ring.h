// Copies of bytes already handed on, kept while the receiver might still take another copy: until acknowledged.
#pragma once

#include <cstdint>
#include <vector>

#include "reassemble/kept_bytes.h"

namespace weir::reassemble {

/// Purpose: to compare retransmissions and reinjections with what was delivered (THREATS.md: a conflict is always reported while the
/// receiver might still take either).
/// Invariant: entries are in order of position and do not overlap; bytes never exceed the bound given to push(), older ones go first.
class CopyRing {
 public:
  struct Entry {
    std::uint64_t begin = 0;
    std::uint64_t delta = 0;  ///< subflow level: of the mapping of these bytes (Mapping::delta), or kUnmapped
    KeptBytes bytes;
    std::uint64_t end() const { return begin + bytes.bytes().size(); }
  };
  static constexpr std::uint64_t kUnmapped = ~0ULL;

  /// Keeps a copy; returns how many bytes of older copies had to go uncompared.
  std::uint64_t push(std::uint64_t position, std::span<const std::byte> bytes, bool stays, std::uint64_t delta, std::uint64_t bound_bytes);
  /// Forgets everything before `position`.
  void acknowledged(std::uint64_t position);
  /// Whether a kept copy differs from `bytes`; `where` is the first position that does.
  bool differs(std::uint64_t position, std::span<const std::byte> bytes, std::uint64_t& where) const;
  /// Whether bytes in [begin, end) were mapped with another delta.
  bool mapped_otherwise(std::uint64_t begin, std::uint64_t end, std::uint64_t delta) const;

  /// Moves the deltas of all entries that have one.
  void shift_delta(std::uint64_t shift) {
    for (Entry& entry : entries_) {
      if (entry.delta != kUnmapped) entry.delta += shift;
    }
  }

  bool empty() const { return head_ == entries_.size(); }
  std::uint64_t held_bytes() const { return held_bytes_; }

 private:
  void pop();
  std::size_t first_reaching(std::uint64_t position) const;

  std::vector<Entry> entries_;
  std::size_t head_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace weir::reassemble
