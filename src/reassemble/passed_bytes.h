// Bytes that were let pass inline, kept while their receiver might still take another copy of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "reassemble/piece.h"

namespace weir::reassemble {

/// The octets of one packet, kept once however many refer to them.
using PassedBlock = std::shared_ptr<const std::byte[]>;
PassedBlock make_block(std::span<const std::byte> bytes);

/// Purpose: no position is ever let pass with two values, nor with two mappings (DESIGN.md, mechanism 4).
/// Invariant: entries do not overlap; each has its bytes and, at subflow level, the mapping that its own segment carried.
/// Bounds are the caller's: held_bytes() and entries() tell. One owner, one thread, no clock.
class PassedBytes {
 public:
  struct Entry {
    std::uint64_t end = 0;
    PassedBlock block;
    std::size_t offset = 0;  ///< in the block
    std::optional<Mapping> mapping;
  };
  using Entries = std::map<std::uint64_t, Entry>;  ///< by begin
  /// How a mapping stands to those that passed.
  enum class Agreement : std::uint8_t {
    kApart,     ///< it touches none of them
    kSame,      ///< it is one of them
    kParts,     ///< where it overlaps another it says the same, but it is not the same
    kContrary,  ///< it says otherwise
  };

  /// Whether bytes kept differ from these.
  bool differs(std::uint64_t position, std::span<const std::byte> bytes) const;
  /// Whether all of [begin, end) is kept.
  bool covers(std::uint64_t begin, std::uint64_t end) const;
  /// Whether any of [begin, end) is kept.
  bool touches(std::uint64_t begin, std::uint64_t end) const;
  Agreement agreement(const Mapping& mapping) const;
  /// The octets of [begin, end), in a block that begins there; empty unless all of them are kept.
  PassedBlock block_of(std::uint64_t begin, std::uint64_t end) const;
  const Entries& all() const { return entries_; }
  /// Keeps what is not kept already of the octets in `block`, which begin at `position`.
  void add(std::uint64_t position, std::uint64_t size, const PassedBlock& block, const std::optional<Mapping>& mapping);
  /// Forgets what ends at `position` or before.
  void acknowledged(std::uint64_t position);
  /// Forgets the first entry.
  void pop();

  bool empty() const { return entries_.empty(); }
  std::size_t entries() const { return entries_.size(); }
  /// Of payload.
  std::uint64_t held_bytes() const { return held_bytes_; }
  /// What that costs, with a share for each entry, its node and its block.
  std::uint64_t memory_bytes() const { return held_bytes_ + entries_.size() * kEntryBytes; }
  /// The first entry's mapping; only if not empty.
  const std::optional<Mapping>& first_mapping() const { return entries_.begin()->second.mapping; }
  std::uint64_t first_end() const { return entries_.begin()->second.end; }
  /// One past the last position kept; 0 if empty.
  std::uint64_t top() const { return entries_.empty() ? 0 : entries_.rbegin()->second.end; }

  static constexpr std::uint64_t kEntryBytes = 256;

 private:
  Entries::const_iterator first_reaching(std::uint64_t position) const;
  Entries::iterator erase(Entries::iterator at);

  Entries entries_;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace weir::reassemble
