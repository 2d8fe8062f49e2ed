// What is shown of running connections: one, or a page at a time.
#include <algorithm>
#include <iterator>

#include "engine/state.h"

namespace weir::engine {

std::vector<ConnectionOverview> Engine::overview(std::uint64_t after, std::size_t most) const {
  State& state = *state_;
  std::vector<ConnectionOverview> all;
  for (auto at = state.numbers.upper_bound(after); at != state.numbers.end() && all.size() < most; ++at) {
    Connection& c = *at->second;
    if (!c.mptcp() || c.quiet || c.subflows.empty()) continue;
    ConnectionOverview o;
    o.record = state.record_of(c);
    std::ranges::copy(c.blocked, std::begin(o.blocked));
    o.resumed = c.guard && c.guard->resumed;
    o.waiting_bytes = state.held_of(c) + State::passed_of(c);
    all.push_back(std::move(o));
  }
  return all;
}

std::optional<ConnectionInfo> Engine::info(std::uint64_t connection) const {
  Connection* const c = state_->by_number(connection);
  if (c == nullptr) return std::nullopt;
  ConnectionInfo info = state_->info(*c);
  if (!State::has_final_id(*c)) info.id.clear();
  return info;
}

}  // namespace weir::engine
