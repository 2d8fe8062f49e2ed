// Packets from one worker to another.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/raw_packet.h"

namespace weir::sensor {

/// Purpose: a bounded queue of copies. Invariant: what was pushed comes out in that order and unchanged; what does not fit is refused.
/// Threads: one pushes, one takes. A packet taken stays valid until the next call of take().
class PacketQueue {
 public:
  /// `bytes`: a power of two; headers count.
  explicit PacketQueue(std::size_t bytes);

  /// false: full.
  bool push(const RawPacket& packet);
  std::size_t take(std::span<RawPacket> packets);
  /// For the one that takes: nothing is there.
  bool empty() const { return head_ == tail_.load(std::memory_order_seq_cst); }

 private:
  struct Header;
  std::byte* at(std::uint64_t position) const { return memory_.get() + (position & (size_ - 1)); }

  std::size_t size_;
  std::unique_ptr<std::byte[]> memory_;
  // Positions only grow. The one that pushes owns the first pair, the one that takes the second.
  alignas(64) std::atomic<std::uint64_t> tail_ = 0;   ///< behind the last packet pushed
  std::uint64_t freed_seen_ = 0;                      ///< of freed_, as it was last looked at
  alignas(64) std::atomic<std::uint64_t> freed_ = 0;  ///< what lies before may be written over
  std::uint64_t head_ = 0;                            ///< the next packet to be taken
};

}  // namespace weir::sensor
