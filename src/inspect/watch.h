// Counts of things within a sliding window, per source or host: what floods are told by.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <unordered_map>
#include <utility>

#include "base/raw_packet.h"

namespace weir::inspect {

/// Times of recent occurrences of something, each with what tells it apart from the others. Bound: given to add().
class RecentTimes {
 public:
  /// Adds one (again: its time moves), forgets those before the window, and gives how many there are. At most `most` are kept: the
  /// oldest goes.
  std::size_t add(std::uint64_t what, TimeNs now_ns, TimeNs window_ns, std::size_t most) {
    remove(what);
    // What was waited for is counted with the time it came at: behind what came later.
    const TimeNs newest = times_.empty() ? now_ns : std::max(now_ns, times_.back().second);
    while (!times_.empty() && newest - times_.front().second > window_ns) times_.pop_front();
    if (newest - now_ns > window_ns) return times_.size();
    if (times_.size() >= most) times_.pop_front();
    const auto later = std::find_if(times_.begin(), times_.end(), [&](const auto& entry) { return entry.second > now_ns; });
    times_.emplace(later, what, now_ns);
    return times_.size();
  }
  bool empty() const { return times_.empty(); }
  void remove(std::uint64_t what) {
    std::erase_if(times_, [&](const auto& entry) { return entry.first == what; });
  }

 private:
  std::deque<std::pair<std::uint64_t, TimeNs>> times_;
};

/// Purpose: RecentTimes per key. Bound: `entries`; at the limit the entry unused longest goes, and add() says so.
template <typename Key, typename Hash = std::hash<Key>>
class Watch {
 public:
  /// The entry of that key; `evicted` is set if another had to go for it.
  RecentTimes& at(const Key& key, std::size_t entries, bool& evicted) {
    evicted = false;
    if (const auto found = index_.find(key); found != index_.end()) {
      order_.splice(order_.end(), order_, found->second);
      return found->second->second;
    }
    if (order_.size() >= entries) {
      index_.erase(order_.front().first);
      order_.pop_front();
      evicted = true;
    }
    order_.emplace_back(key, RecentTimes{});
    index_[key] = std::prev(order_.end());
    return order_.back().second;
  }
  RecentTimes* find(const Key& key) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }

 private:
  std::list<std::pair<Key, RecentTimes>> order_;  ///< least recently used first
  std::unordered_map<Key, typename std::list<std::pair<Key, RecentTimes>>::iterator, Hash> index_;
};

}  // namespace weir::inspect
