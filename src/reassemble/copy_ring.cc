#include "reassemble/copy_ring.h"

#include <algorithm>
#include <cstring>

namespace weir::reassemble {

void CopyRing::pop() {
  bytes_ -= entries_[head_].bytes.bytes().size();
  held_bytes_ -= entries_[head_].bytes.held_bytes();
  entries_[head_].bytes = {};
  ++head_;
  if (head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  }
}

std::uint64_t CopyRing::push(std::uint64_t position, std::span<const std::byte> bytes, bool stays, std::uint64_t delta, std::uint64_t bound_bytes) {
  std::uint64_t uncompared = 0;
  while (!empty() && bytes_ + bytes.size() > bound_bytes) {
    uncompared += entries_[head_].bytes.bytes().size();
    pop();
  }
  if (bytes.size() > bound_bytes) return uncompared + bytes.size();
  // The vector is used as a queue: its dead front is cut off once it is the larger part.
  if (head_ > 32 && head_ * 2 > entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  Entry& entry = entries_.emplace_back(Entry{position, delta, KeptBytes(bytes, stays)});
  bytes_ += bytes.size();
  held_bytes_ += entry.bytes.held_bytes();
  return uncompared;
}

void CopyRing::acknowledged(std::uint64_t position) {
  while (!empty() && entries_[head_].end() <= position) pop();
}

std::size_t CopyRing::first_reaching(std::uint64_t position) const {
  const auto it =
      std::partition_point(entries_.begin() + static_cast<std::ptrdiff_t>(head_), entries_.end(), [&](const Entry& e) { return e.end() <= position; });
  return static_cast<std::size_t>(it - entries_.begin());
}

bool CopyRing::differs(std::uint64_t position, std::span<const std::byte> bytes, std::uint64_t& where) const {
  const std::uint64_t end = position + bytes.size();
  for (std::size_t i = first_reaching(position); i < entries_.size() && entries_[i].begin < end; ++i) {
    const std::uint64_t from = std::max(position, entries_[i].begin);
    const std::uint64_t to = std::min(end, entries_[i].end());
    if (from >= to) continue;
    const auto mine = entries_[i].bytes.bytes().subspan(from - entries_[i].begin, to - from);
    const auto theirs = bytes.subspan(from - position, to - from);
    if (std::memcmp(mine.data(), theirs.data(), mine.size()) != 0) {
      where = from + static_cast<std::uint64_t>(std::ranges::mismatch(mine, theirs).in1 - mine.begin());
      return true;
    }
  }
  return false;
}

bool CopyRing::mapped_otherwise(std::uint64_t begin, std::uint64_t end, std::uint64_t delta) const {
  for (std::size_t i = first_reaching(begin); i < entries_.size() && entries_[i].begin < end; ++i) {
    if (entries_[i].delta != kUnmapped && entries_[i].delta != delta) return true;
  }
  return false;
}

}  // namespace weir::reassemble
