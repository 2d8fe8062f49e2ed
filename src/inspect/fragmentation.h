// Streams that alternate between subflows in tiny pieces (fragmented_across_subflows; Black Hat 2014).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weir::inspect {

/// Purpose: watches one direction of a connection for a run of pieces, each on another subflow than the one before, that are small
/// on average. Bytes of one subflow that follow each other in the stream are one piece.
/// Cost: constant a call; memory only once small pieces alternate (2 octets a piece of the window, which holds those before the last).
class FragmentationWatch {
 public:
  /// A delivered piece; `true` when the last `pieces` of them, this one among them, average under `octets`.
  bool add(std::uint32_t subflow, std::uint64_t size, std::size_t pieces, std::uint64_t octets) {
    if (subflow == subflow_) {
      piece_ += size;
      if (piece_ >= octets * pieces) reset();
      return false;
    }
    const std::uint64_t done = std::min<std::uint64_t>(piece_, 0xffff);
    const bool first = subflow_ == kNoSubflow;
    subflow_ = subflow;
    piece_ = size;
    if (first) return false;
    if (window_.empty() && done >= octets) return false;
    window_.push_back(static_cast<std::uint16_t>(done));
    sum_ += done;
    if (window_.size() - head_ >= pieces) sum_ -= window_[head_++];
    if (head_ > pieces) {
      window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    if (sum_ >= octets * pieces) {
      const auto kept = piece_;
      reset();
      piece_ = kept;
      return false;
    }
    return window_.size() - head_ + 1 == pieces && sum_ + piece_ < octets * pieces;
  }

 private:
  static constexpr std::uint32_t kNoSubflow = ~0U;
  void reset() {
    window_ = {};
    head_ = 0;
    sum_ = 0;
  }
  std::uint32_t subflow_ = kNoSubflow;
  std::uint64_t piece_ = 0;
  std::vector<std::uint16_t> window_;
  std::size_t head_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace weir::inspect
