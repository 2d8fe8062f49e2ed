// 4-tuple (and tunnel) -> whatever follows that subflow. Open addressing over 64-bit hashes, so that slots can be fetched ahead.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/ip_address.h"

namespace weir::track {

/// The two ends of a TCP connection in a fixed order, whoever sends, and the tunnel around them.
struct FlowKey {
  IpAddress low, high;
  std::uint16_t low_port = 0, high_port = 0;
  std::uint64_t tunnel = 0;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

/// The key of a packet's tuple; `from_low` tells which end sent it.
inline FlowKey make_flow_key(const IpAddress& src, std::uint16_t src_port, const IpAddress& dst, std::uint16_t dst_port, std::uint64_t tunnel, bool& from_low) {
  const int order = std::memcmp(src.octets.data(), dst.octets.data(), src.octets.size());
  from_low = order < 0 || (order == 0 && src_port <= dst_port);
  if (from_low) return {src, dst, src_port, dst_port, tunnel};
  return {dst, src, dst_port, src_port, tunnel};
}

/// A keyed hash: whoever does not know the seed cannot aim at one slot. Never 0.
inline std::uint64_t hash_flow_key(const FlowKey& key, std::uint64_t seed) {
  std::uint64_t words[6];
  std::memcpy(words, key.low.octets.data(), 16);
  std::memcpy(words + 2, key.high.octets.data(), 16);
  words[4] = static_cast<std::uint64_t>(key.low_port) << 16U | key.high_port;
  words[5] = key.tunnel;
  const auto mix = [](std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  };
  std::uint64_t h = seed ^ 0x9e3779b97f4a7c15ULL;
  h = mix(words[0] ^ 0xa0761d6478bd642fULL ^ h, words[1] ^ 0xe7037ed1a0b428dbULL ^ seed);
  h = mix(words[2] ^ 0x8ebc6af09c88c6e3ULL ^ h, words[3] ^ 0x589965cc75374cc3ULL ^ seed);
  h = mix(words[4] ^ 0x1d8e4e27c47d124fULL ^ h, words[5] ^ 0xeb44accab455d165ULL ^ seed);
  return h == 0 ? 1 : h;
}

/// The same for both directions of a flow.
inline std::uint64_t hash_flow(const IpAddress& src, std::uint16_t src_port, const IpAddress& dst, std::uint16_t dst_port, std::uint64_t tunnel,
                               std::uint64_t seed) {
  bool from_low = false;
  return hash_flow_key(make_flow_key(src, src_port, dst, dst_port, tunnel, from_low), seed);
}

/// Purpose: finds the entry of a packet. Invariant: at most 5/8 full; linear probing without tombstones.
/// `Value` is a cheap copyable handle. Two tuples with one hash (2^-64) share a slot: the caller compares the tuple it finds.
template <typename Value>
class FlowTable {
 public:
  FlowTable() : slots_(kInitialSlots) {}

  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }

  Value* find(std::uint64_t hash) {
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      if (slots_[i].hash == hash) return &slots_[i].value;
      if (slots_[i].hash == 0) return nullptr;
    }
  }

  /// The value of that hash, made if it is not there.
  Value& at(std::uint64_t hash) {
    if (Value* found = find(hash)) return *found;
    if ((size_ + 1) * 8 > slots_.size() * 5) grow();
    std::size_t i = hash & mask();
    while (slots_[i].hash != 0) i = (i + 1) & mask();
    slots_[i].hash = hash;
    slots_[i].value = Value{};
    ++size_;
    return slots_[i].value;
  }

  void erase(std::uint64_t hash) {
    std::size_t i = hash & mask();
    while (slots_[i].hash != hash) {
      if (slots_[i].hash == 0) return;
      i = (i + 1) & mask();
    }
    --size_;
    // Closes the hole: later entries of the run move up if the hole lies between their home and them.
    for (std::size_t j = (i + 1) & mask(); slots_[j].hash != 0; j = (j + 1) & mask()) {
      const std::size_t home = slots_[j].hash & mask();
      if (((j - home) & mask()) >= ((j - i) & mask())) {
        slots_[i] = slots_[j];
        i = j;
      }
    }
    slots_[i] = {};
  }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  static constexpr std::size_t kInitialSlots = 1024;
  struct Slot {
    std::uint64_t hash = 0;
    Value value{};
  };
  std::size_t mask() const { return slots_.size() - 1; }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.hash == 0) continue;
      std::size_t i = slot.hash & mask();
      while (slots_[i].hash != 0) i = (i + 1) & mask();
      slots_[i] = slot;
    }
  }
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace weir::track
