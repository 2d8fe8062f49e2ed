#include "report/held_frames.h"

#include <boost/container_hash/hash.hpp>
#include <utility>

namespace weir::report {

std::size_t hash_value(const DatagramKey& key) {
  std::size_t seed = boost::hash_range(key.src.octets.begin(), key.src.octets.end());
  boost::hash_range(seed, key.dst.octets.begin(), key.dst.octets.end());
  boost::hash_combine(seed, key.tunnel);
  boost::hash_combine(seed, std::uint64_t{key.id} << 32 | std::uint64_t{key.point} << 8 | key.protocol);
  return seed;
}

void HeldFrames::pass(TimeNs time, std::span<const std::byte> frame, std::uint32_t original_bytes) {
  if (frames_.empty()) {
    sink_.write(time, frame, original_bytes);
  } else {
    enqueue({time, original_bytes, State::kReady, {}, {frame.begin(), frame.end()}});
  }
}

void HeldFrames::hold(const DatagramKey& key, TimeNs time, std::span<const std::byte> frame, std::uint32_t original_bytes) {
  held_[key].push_back(first_ + frames_.size());
  enqueue({time, original_bytes, State::kHeld, key, {frame.begin(), frame.end()}});
}

void HeldFrames::enqueue(Frame frame) {
  bytes_ += frame.bytes.size();
  frames_.push_back(std::move(frame));
  while (frames_.size() > kFrames || bytes_ > kBytes) give_up();
}

void HeldFrames::decide(const DatagramKey& key, bool write) {
  const auto found = held_.find(key);
  if (found == held_.end()) return;
  for (const std::uint64_t number : found->second) frames_[number - first_].state = write ? State::kReady : State::kDropped;
  held_.erase(found);
  drain();
}

void HeldFrames::drain() {
  while (!frames_.empty() && frames_.front().state != State::kHeld) {
    const Frame& frame = frames_.front();
    if (frame.state == State::kReady) sink_.write(frame.time, frame.bytes, frame.original_bytes);
    bytes_ -= frame.bytes.size();
    frames_.pop_front();
    ++first_;
  }
}

void HeldFrames::give_up() {
  const DatagramKey key = frames_.front().key;
  undecided_ += held_.at(key).size();
  decide(key, true);
}

void HeldFrames::advance(TimeNs now) {
  while (!frames_.empty() && now - frames_.front().time > patience_) give_up();
}

void HeldFrames::release() {
  while (!frames_.empty()) give_up();
}

}  // namespace weir::report
