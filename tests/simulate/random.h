// Random numbers that are the same on every machine for the same seed (the distributions of <random> do not promise that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::simulate {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  /// SplitMix64: every seed is good, neighbouring ones too.
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }
  std::uint32_t next32() { return static_cast<std::uint32_t>(next() >> 32U); }
  /// 0 to bound - 1.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  /// Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  double unit() { return static_cast<double>(next() >> 11U) * 0x1p-53; }
  bool chance(double probability) { return probability > 0 && unit() < probability; }
  void fill(std::span<std::byte> out) {
    for (std::byte& b : out) b = static_cast<std::byte>(next() >> 56U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace weir::simulate
