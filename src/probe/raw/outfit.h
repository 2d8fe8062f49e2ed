// What raw mode needs of this host before the first packet: ways to all targets, interfaces open, and the kernel kept quiet.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probe/raw/links.h"
#include "probe/raw/reset_guard.h"
#include "probe/raw/way_finder.h"
#include "probe/targets/target_space.h"
#include "report/problem.h"

namespace weir::probe::raw {

inline constexpr std::size_t kMostLinks = 64;  ///< interfaces that targets are reached by

struct Outfit {
  std::unique_ptr<Links> links;
  std::optional<ResetGuard> guard;       ///< where we speak from an address of the host's own
  std::vector<report::Problem> remarks;  ///< what some targets have no way for: they are told as such
};

struct OutfitProblem {
  report::Problem problem;
  bool usage = false;  ///< what was wished contradicts itself, or this host
};

std::expected<Outfit, OutfitProblem> make_outfit(const WayWishes& wishes, std::span<const targets::AddressRange> targets);

}  // namespace weir::probe::raw
