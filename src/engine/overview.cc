// What is shown of running connections, a page at a time.
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

}  // namespace weir::engine
