// What the kernel keeps of a decision: some bits of a connection's mark, one conntrack entry a subflow.
#pragma once

#include <bit>
#include <cstdint>

namespace weir::gateway {

/// What a subflow's packets need from now on. Values are bits in the kernel: they outlive the program, and do not change between versions.
enum class MarkState : std::uint8_t {
  kNone = 0,
  kTracked = 1,    ///< every packet is judged
  kOffloaded = 2,  ///< only what opens, ends or controls: an option of MPTCP other than DSS, SYN, FIN, RST
  kStripped = 3,   ///< only what still has an option of MPTCP
  kBlocked = 4,    ///< nothing passes: judged while the program lives, dropped without it
  kProxy = 5,      ///< for a proxy on this machine: not looked at. With shard 1, see passed()
  kOwn = 6,        ///< of a packet that the program sends itself; of a refused SYN that has the addresses that its sender knows, for the answer
  kRefused = 7,    ///< of a SYN alone: its sender is told; no connection has it. See refused_by_kernel()
};

/// Purpose: packs and reads marks in the bits that the configuration leaves to Weir. A value.
class Marks {
 public:
  static constexpr unsigned kBits = 8;  ///< 3 of state, 4 of shard, 1: the shard was found by a token
  static constexpr std::uint32_t kStandard = 0xff00'0000;
  static constexpr unsigned kMostShards = 16;

  /// `mask`: adjacent bits, at least kBits (is_mask).
  explicit constexpr Marks(std::uint32_t mask = kStandard) : mask_(mask), shift_(static_cast<unsigned>(std::countr_zero(mask))) {}
  static constexpr bool is_mask(std::uint32_t mask) {
    if (mask == 0) return false;
    const std::uint32_t low = mask >> static_cast<unsigned>(std::countr_zero(mask));
    return (low & (low + 1)) == 0 && std::popcount(mask) >= static_cast<int>(kBits);
  }

  constexpr std::uint32_t mask() const { return mask_; }
  constexpr std::uint32_t state_mask() const { return 7U << shift_; }
  constexpr std::uint32_t shard_mask() const { return 15U << (shift_ + 3); }
  constexpr std::uint32_t steered_mask() const { return 1U << (shift_ + 7); }

  constexpr std::uint32_t value(MarkState state, unsigned shard = 0) const {
    return static_cast<std::uint32_t>(state) << shift_ | (shard & 15U) << (shift_ + 3);
  }
  bool operator==(const Marks&) const = default;

  /// Of own packets that conntrack is not to see.
  constexpr std::uint32_t untracked() const { return value(MarkState::kOwn, 1); }
  /// It came while the gateway took in nothing new, and goes by: not looked at, and for no proxy.
  constexpr std::uint32_t passed() const { return value(MarkState::kProxy, 1); }
  /// Of a refused SYN whose sender's addresses only the kernel's NAT knows: it answers. Within told_mask().
  constexpr std::uint32_t refused_by_kernel() const { return value(MarkState::kRefused); }
  constexpr std::uint32_t told_mask() const { return state_mask() | steered_mask(); }
  constexpr MarkState state(std::uint32_t mark) const { return static_cast<MarkState>(mark >> shift_ & 7U); }
  constexpr unsigned shard(std::uint32_t mark) const { return mark >> (shift_ + 3) & 15U; }
  /// `mark` with Weir's bits replaced, those of others left: what the verdict on a packet of that shard gives it.
  constexpr std::uint32_t with(std::uint32_t mark, MarkState state, unsigned shard = 0) const { return (mark & ~mask_) | value(state, shard) | steered_mask(); }

 private:
  std::uint32_t mask_;
  unsigned shift_;
};

}  // namespace weir::gateway
