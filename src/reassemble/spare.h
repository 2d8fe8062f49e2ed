// Emptied backlogs, kept for the next direction that needs one: most directions are idle most of the time, and the busy ones come and go.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace weir::reassemble {

/// Purpose: take() and give() without an allocation each. Bound: kMost kept. One owner, one thread.
template <typename T>
class Spare {
 public:
  static constexpr std::size_t kMost = 64;
  std::unique_ptr<T> take() {
    if (kept_.empty()) return std::make_unique<T>();
    auto taken = std::move(kept_.back());
    kept_.pop_back();
    return taken;
  }
  void give(std::unique_ptr<T> emptied) {
    if (kept_.size() < kMost) kept_.push_back(std::move(emptied));
  }

 private:
  std::vector<std::unique_ptr<T>> kept_;
};

}  // namespace weir::reassemble
