// An order over 0 ... n-1 that looks random and is kept nowhere: a keyed bijection (a Feistel network with cycle walking).
#pragma once

#include <cstdint>

namespace weir::probe::targets {

/// Purpose: at(i) for i = 0 ... size-1 gives every number below `size` once. Invariant: the same seed and size give the same
/// order, so that an interrupted run goes on where it was. A value.
class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t seed);
  std::uint64_t at(std::uint64_t index) const;
  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t once(std::uint64_t value) const;

  std::uint64_t size_;
  std::uint64_t seed_;
  unsigned half_bits_ = 1;  ///< the network works on twice as many: fewer than four times `size` numbers
};

}  // namespace weir::probe::targets
