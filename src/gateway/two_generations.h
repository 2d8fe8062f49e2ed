// A bounded table whose oldest half goes when it is full.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace weir::gateway {

/// Purpose: what is wanted again soon, or never. Whoever fills it drives out what was not wanted for half a table's time, and never all at once.
/// Limits: `most` entries, half of them in each generation. References last until the next call. One owner, one thread.
template <typename Value>
class TwoGenerations {
 public:
  explicit TwoGenerations(std::size_t most) : most_young_(std::max<std::size_t>(most / 2, 1)) {}

  /// nullptr: it is not there, or not any more. What is found is young again.
  Value* find(std::uint64_t key) {
    if (const auto young = young_.find(key); young != young_.end()) return &young->second;
    const auto old = old_.find(key);
    if (old == old_.end()) return nullptr;
    Value value = std::move(old->second);
    old_.erase(old);
    return &put(key, std::move(value));
  }
  Value& put(std::uint64_t key, Value value) {
    return put(key, std::move(value), [](const Value&) { return true; });
  }
  /// `counts`: whether what goes is missed by anyone.
  Value& put(std::uint64_t key, Value value, const auto& counts) {
    if (young_.size() >= most_young_ && !young_.contains(key)) {
      for (const auto& each : old_) evicted_ += counts(each.second) ? 1U : 0U;
      old_.swap(young_);
      young_.clear();
    }
    old_.erase(key);
    return young_.insert_or_assign(key, std::move(value)).first->second;
  }
  void erase(std::uint64_t key) {
    young_.erase(key);
    old_.erase(key);
  }
  std::size_t size() const { return young_.size() + old_.size(); }
  /// Grows only.
  std::uint64_t evicted() const { return evicted_; }

 private:
  std::size_t most_young_;
  boost::unordered_flat_map<std::uint64_t, Value> young_, old_;
  std::uint64_t evicted_ = 0;
};

}  // namespace weir::gateway
