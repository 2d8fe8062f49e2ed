// Addresses or ports as a sorted table of ranges: one binary search, however many prefixes went in.
#pragma once

#include <algorithm>
#include <vector>

namespace weir::decide {

/// Purpose: whether a value lies in one of many ranges. Invariant: the ranges are sorted and apart from each other.
template <typename Value, typename Range>
class RangeSet {
 public:
  RangeSet() = default;
  explicit RangeSet(std::vector<Range> ranges) {
    std::ranges::sort(ranges, {}, &Range::first);
    for (const Range& range : ranges) {
      if (!ranges_.empty() && range.first <= ranges_.back().last) {
        ranges_.back().last = std::max(ranges_.back().last, range.last);
      } else {
        ranges_.push_back(range);
      }
    }
  }

  bool empty() const { return ranges_.empty(); }
  bool contains(const Value& value) const {
    const auto behind = std::ranges::upper_bound(ranges_, value, {}, &Range::first);
    return behind != ranges_.begin() && value <= std::prev(behind)->last;
  }

 private:
  std::vector<Range> ranges_;
};

/// Members without exceptions; no members: everything.
template <typename Value, typename Group, typename Range>
class GroupSet {
 public:
  GroupSet() = default;
  explicit GroupSet(const Group& group) : in_(group.in), out_(group.out) {}
  bool contains(const Value& value) const { return (in_.empty() || in_.contains(value)) && !out_.contains(value); }

 private:
  RangeSet<Value, Range> in_, out_;
};

}  // namespace weir::decide
