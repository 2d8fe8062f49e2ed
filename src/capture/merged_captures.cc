#include "capture/merged_captures.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::capture {

MergedCaptures::MergedCaptures(const std::vector<std::string>& paths) {
  inputs_.reserve(paths.size());
  for (const std::string& path : paths) inputs_.push_back({path, CaptureFile::open(path, points_), {}});
}

bool MergedCaptures::later(std::size_t a, std::size_t b) const { return std::tuple(inputs_[a].head.time_ns, a) > std::tuple(inputs_[b].head.time_ns, b); }

void MergedCaptures::sift_down() {
  std::size_t at = 0;
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heads_.size()) return;
    if (child + 1 < heads_.size() && later(heads_[child], heads_[child + 1])) ++child;
    if (!later(heads_[at], heads_[child])) return;
    std::swap(heads_[at], heads_[child]);
    at = child;
  }
}

std::size_t MergedCaptures::next_merged(std::span<RawPacket> packets) {
  if (!std::exchange(started_, true)) {
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].file && inputs_[i].file->next(inputs_[i].head) == Status::kPacket) heads_.push_back(i);
    std::ranges::make_heap(heads_, [this](std::size_t a, std::size_t b) { return later(a, b); });
  }
  std::size_t count = 0;
  while (count < packets.size() && !heads_.empty()) {
    Input& first = inputs_[heads_.front()];
    packets[count++] = first.head;
    if (first.file->next(first.head) != Status::kPacket) {
      heads_.front() = heads_.back();
      heads_.pop_back();
    }
    sift_down();
  }
  return count;
}

std::size_t MergedCaptures::next_batch(std::span<RawPacket> packets) {
  for (Input& input : inputs_)
    if (input.file) input.file->release();
  if (inputs_.size() != 1) return next_merged(packets);
  return inputs_.front().file ? inputs_.front().file->next_batch(packets) : 0;
}

std::vector<Error> MergedCaptures::errors() const {
  std::vector<Error> errors;
  for (const Input& input : inputs_) {
    if (!input.file)
      errors.push_back(input.file.error());
    else if (input.file->error())
      errors.push_back(*input.file->error());
  }
  return errors;
}

std::vector<std::string> MergedCaptures::warnings() const {
  std::vector<std::string> lines;
  for (const Input& input : inputs_) {
    if (!input.file || input.file->unsupported_packets() == 0) continue;
    lines.push_back(input.path + ": " + std::to_string(input.file->unsupported_packets()) + " packets of link type " +
                    std::to_string(input.file->unsupported_link().value_or(0)) + " or others that Weir does not read");
  }
  return lines;
}

Progress MergedCaptures::progress() const {
  Progress sum;
  bool known = true;
  for (const Input& input : inputs_) {
    if (!input.file) continue;
    const Progress one = input.file->progress();
    sum.read += one.read;
    sum.total += one.total;
    known = known && one.total > 0;
  }
  if (!known) sum.total = 0;
  return sum;
}

}  // namespace weir::capture
