// Which way to which target. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "probe/targets/target_space.h"
#include "probe/targets/target_text.h"

namespace weir::probe::raw {

/// Purpose: the address space in pieces, cut where any route or rule of the host begins or ends: within a piece all go one way, so that
/// the kernel is asked once a piece, and never while packets go. Limits: kMostPieces, at which there is no table. A value.
class WayTable {
 public:
  static constexpr std::size_t kMostPieces = 1 << 22;
  /// The number of the way to a target; none: there is none.
  using Ask = std::function<std::optional<std::uint32_t>(const IpAddress& target)>;

  WayTable() = default;
  /// `nets`: the destinations of all routes and rules. Pieces without a target are not asked for.
  static std::expected<WayTable, std::string> make(std::span<const targets::Prefix> nets, std::span<const targets::AddressRange> targets, const Ask& ask);

  std::optional<std::uint32_t> at(const IpAddress& target) const;
  std::size_t pieces() const { return begins_.size(); }

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff, kNotAsked = 0xffff'fffe;
  void merge();

  std::vector<IpAddress> begins_;
  std::vector<std::uint32_t> ways_;
};

}  // namespace weir::probe::raw
