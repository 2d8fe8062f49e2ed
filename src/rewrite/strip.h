// MPTCP options made no-operations, in place: the segment stays as long as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <span>

#include "rewrite/tcp_place.h"
#include "wire/mptcp/options.h"

namespace weir::rewrite {

/// A set of subtypes. A value.
class SubtypeSet {
 public:
  constexpr SubtypeSet() = default;
  constexpr SubtypeSet(std::initializer_list<wire::mptcp::Subtype> subtypes) {
    for (const wire::mptcp::Subtype subtype : subtypes) bits_ |= bit(static_cast<unsigned>(subtype));
  }
  static constexpr SubtypeSet all() {
    SubtypeSet set;
    set.bits_ = 0xffff;
    return set;
  }
  /// `subtype` is a nibble, as it stands in the option.
  constexpr bool has(unsigned subtype) const { return (bits_ & bit(subtype)) != 0; }

 private:
  static constexpr std::uint16_t bit(unsigned subtype) { return static_cast<std::uint16_t>(1U << (subtype & 0x0fU)); }
  std::uint16_t bits_ = 0;
};

/// Every option 30 of the segment is looked at, wherever it stands, and those of the given subtypes become NOPs; so do those too short to have a
/// subtype, and one whose length runs past the option space, which no receiver may take for anything. Gives how many there were; with any, the
/// checksum is written anew, else the packet is untouched.
std::expected<std::size_t, Unchangeable> strip_mptcp(std::span<std::byte> packet, SubtypeSet subtypes = SubtypeSet::all());

}  // namespace weir::rewrite
