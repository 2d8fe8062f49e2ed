// Which subflow carried which part of a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "inspect/match/compact.h"

namespace weir::inspect::match {

/// Purpose: runs of bytes that one subflow carried, in order. Bound: given to add(); at it the older half is forgotten.
class Provenance {
 public:
  /// The stream goes on to `end`, carried by `subflow`. False: older runs were forgotten.
  bool add(std::uint64_t end, std::uint32_t subflow, std::size_t most) {
    if (!runs_.empty() && runs_.back().subflow == subflow) {
      runs_.back().end = end;
      return true;
    }
    bool kept = true;
    if (runs_.size() >= most) {
      runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>((runs_.size() + 1) / 2));
      kept = false;
    }
    runs_.push_back({end, subflow});
    return kept;
  }
  /// Adds the subflows of [first, end) to `out`, each once.
  void collect(std::uint64_t first, std::uint64_t end, std::vector<std::uint32_t>& out) const {
    auto run = std::ranges::upper_bound(runs_, first, {}, &Run::end);
    for (; run != runs_.end(); ++run) {
      if (run != runs_.begin() && (run - 1)->end >= end) break;
      if (std::ranges::find(out, run->subflow) == out.end()) out.push_back(run->subflow);
    }
  }

  /// Numbers from which unpack() makes the same again.
  void pack_into(CompactWriter& out) const {
    out.number(runs_.size());
    std::uint64_t begin = 0;
    for (const Run& run : runs_) {
      out.number(run.end - begin);
      out.number(run.subflow);
      begin = run.end;
    }
  }
  void unpack(CompactReader& in) {
    runs_.clear();
    std::uint64_t begin = 0;
    for (std::uint64_t left = in.number(); left != 0 && in.ok(); --left) {
      begin += in.number();
      runs_.push_back({begin, static_cast<std::uint32_t>(in.number())});
    }
  }

 private:
  struct Run {
    std::uint64_t end = 0;
    std::uint32_t subflow = 0;
  };
  std::vector<Run> runs_;
};

}  // namespace weir::inspect::match
