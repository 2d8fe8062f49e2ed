#include "gateway/state_keeper.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/saved.h"
#include "gateway/state_file.h"

namespace weir::gateway {

std::optional<report::Problem> StateKeeper::restore(TimeNs now) {
  if (path_.empty()) return std::nullopt;
  const auto read = read_state_file(path_);
  if (!read) return read.error();
  if (!*read) return std::nullopt;
  const SavedState& state = **read;
  std::size_t shard = 0, workers = 0;
  ask_all_([&](Worker&) { ++workers; });
  if (workers != state.shards.size()) return report::Problem{path_, "is of another number of queues (gateway.queues)"};
  std::optional<report::Problem> problem;
  ask_all_([&](Worker& worker) {
    const SavedShard& saved = state.shards[shard++];
    const auto resumed = worker.engine().restore(saved.engine, now);
    if (!resumed) {
      problem = report::Problem{path_, std::string(name_of(resumed.error()))};
      return;
    }
    restored_ += *resumed;
    if (!worker.core().restore(saved.core, now)) problem = report::Problem{path_, "what was decided of its connections is not readable"};
    worker.core().announce();
  });
  if (nat_ != nullptr && !state.nat.empty() && !nat_->restore(state.nat, now)) problem = report::Problem{path_, "its translated addresses are not readable"};
  return problem;
}

void StateKeeper::discard() {
  std::error_code ignored;  // then it is not there, or no one can write there
  if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

std::optional<report::Problem> StateKeeper::keep() { return steady_() < next_ ? std::nullopt : keep_now(); }

std::optional<report::Problem> StateKeeper::keep_now() {
  if (path_.empty()) return std::nullopt;
  SavedState state;
  const TimeNs began = steady_();
  ask_all_([&](Worker& worker) { state.shards.push_back({.engine = worker.engine().save(since_), .core = worker.core().save()}); });
  if (nat_ != nullptr) state.nat = nat_->save();
  const TimeNs taken = steady_() - began;
  const auto octets = write_state(state);
  const std::size_t hash = std::hash<std::string_view>{}({reinterpret_cast<const char*>(octets.data()), octets.size()});
  std::optional<report::Problem> problem;
  if (hash != written_hash_) problem = write_state_file(path_, octets);
  next_ = steady_() + std::max(every_, taken * kShare);
  if (!problem) {
    written_hash_ = hash;
    told_ = false;
    return std::nullopt;
  }
  ++failures_;
  return std::exchange(told_, true) ? std::nullopt : problem;
}

}  // namespace weir::gateway
