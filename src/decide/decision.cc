#include "decide/decision.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "decide/facts.h"

namespace weir::decide {
namespace {

constexpr auto kActions = std::to_array<std::string_view>({"allow", "inspect", "strip", "reset", "proxy"});
constexpr auto kMayOpen = std::to_array<std::string_view>({"both", "client", "server"});
constexpr auto kAddAddr = std::to_array<std::string_view>({"allow", "drop", "translate"});
constexpr auto kDirections = std::to_array<std::string_view>({"outbound", "inbound", "internal", "external"});

}  // namespace

std::string_view name_of(Action action) { return kActions.at(static_cast<std::size_t>(action)); }
std::string_view name_of(MayOpen who) { return kMayOpen.at(static_cast<std::size_t>(who)); }
std::string_view name_of(AddAddr what) { return kAddAddr.at(static_cast<std::size_t>(what)); }
std::string_view name_of(FlowDirection direction) { return kDirections.at(static_cast<std::size_t>(direction)); }

std::optional<Action> action_of(std::string_view name) {
  const auto found = std::ranges::find(kActions, name);
  if (found == kActions.end()) return std::nullopt;
  return static_cast<Action>(found - kActions.begin());
}

}  // namespace weir::decide
