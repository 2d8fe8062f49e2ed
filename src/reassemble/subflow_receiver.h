// One direction of one subflow, as its receiver consumes it: bytes in subflow order, each with the mapping in force.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "reassemble/copy_ring.h"
#include "reassemble/dss_checksum.h"
#include "reassemble/overlap_queue.h"
#include "reassemble/piece.h"
#include "reassemble/spare.h"

namespace weir::reassemble {

/// Bytes taken from the subflow, in its order. A view into the packet, or `kept` where they waited.
struct Consumed {
  enum class Kind : std::uint8_t {
    kMapped,
    kUnmapped,     ///< no mapping covers them
    kBadChecksum,  ///< of a mapping whose DSS checksum does not verify
  };
  Kind kind = Kind::kMapped;
  bool cut = false;  ///< the snap length took them: no bytes, only a size
  bool stays = false;
  std::uint64_t position = 0;
  std::uint64_t dsn = 0;
  std::uint32_t size = 0;
  std::span<const std::byte> bytes;
  KeptBytes kept;
};

/// What a subflow direction holds besides its position: bytes out of order, copies to compare with, mappings ahead of their bytes.
struct SubflowBacklog {
  OverlapQueue queue;
  CopyRing copies;
  std::vector<Mapping> ahead;  ///< registered, beyond the current one, by position
  std::vector<Consumed> held;  ///< of the current mapping, until its checksum is verified
  std::uint64_t held_checksum_bytes = 0;
  std::optional<DssChecksum> sum;  ///< of the current mapping so far, where its bytes are handed on at once
  TimeNs hole_acked_ns = 0;
  bool hole_acked = false;
  bool empty() const { return queue.empty() && copies.empty() && ahead.empty() && held.empty() && !sum; }
};

/// What a step of a SubflowReceiver gave; reused between steps (clear() keeps the memory).
struct SubflowOutput {
  std::vector<Consumed> consumed;
  Spare<SubflowBacklog> spare;  ///< for any receiver that this output is given to
  bool segment_conflict = false;
  bool mapping_conflict = false;
  bool over_limit = false;  ///< the out-of-order queue is full: give up its first gap
  bool checksum_failed = false;
  std::uint64_t conflict_position = 0;
  std::uint64_t uncompared_bytes = 0;
  std::uint64_t mappings_refused = 0;
  void clear() {
    consumed.clear();
    segment_conflict = mapping_conflict = over_limit = checksum_failed = false;
    conflict_position = uncompared_bytes = mappings_refused = 0;
  }
};

/// Positions where a stream begins: 1 is the first byte after the SYN (as an SSN has it); a subflow seen from its middle begins far up,
/// so that earlier bytes still have a position.
inline constexpr std::uint64_t kFirstPosition = 1;
inline constexpr std::uint64_t kMidstreamPosition = 1ULL << 40U;

/// Purpose: THREATS.md, "What counts as delivered", rules 2 and 3.
/// Invariant: next() only grows; each position is consumed at most once; a consumed byte's mapping never changes.
/// Bounds: Limits::reorder_*, copies_bytes, mappings. One owner, one thread, no clock.
class SubflowReceiver {
 public:
  SubflowReceiver() = default;

  /// A segment's payload, with the mapping that it carries, if any.
  void arrive(const Arrival& arrival, const Mapping* mapping, const Limits& limits, SubflowOutput& out);
  /// The receiver has acknowledged everything before `position`.
  void acknowledged(std::uint64_t position, TimeNs now_ns, SubflowOutput& out, const Limits& limits);
  /// The connection's receiver has acknowledged every DSN before `acked`, and bytes from `missing` on were seen nowhere: doubtful bytes next in
  /// order that are mapped in between were taken.
  bool confirmed(std::uint64_t missing, std::uint64_t acked, TimeNs now_ns, const Limits& limits, SubflowOutput& out);
  /// Passes over bytes that were acknowledged and never seen, once they have been waited for; `force`: whether acknowledged or not.
  bool skip_gap(TimeNs now_ns, TimeNs wait_ns, bool force, const Limits& limits, SubflowOutput& out);
  /// From `position` on bytes carry no mappings any more and follow each other at connection level (fallback, infinite mapping).
  void fall_back(std::uint64_t position, std::uint64_t dsn) {
    plain_ = true;
    if (dsn != position || rare_) rare().plain_delta = dsn - position;
  }
  bool fallen_back() const { return plain_; }
  std::uint64_t plain_dsn(std::uint64_t position) const { return position + plain_delta(); }

  /// Whether a mapping says otherwise than those that are known.
  bool contradicts(const Mapping& mapping) const;
  /// Whether the mapping in force covers some of the same bytes, and is another one.
  bool maps_otherwise(const Mapping& m) const {
    const bool overlaps = current_.length != 0 && current_.position < m.end() && m.position < current_.end();
    return overlaps && !(current_.position == m.position && current_.dsn == m.dsn && current_.length == m.length);
  }
  /// Its receiver has fallen back: what was not consumed yet has no mapping any more.
  void forget_mappings();

  /// DSNs of which only the low half was known are known in full now: they move by `shift`, a multiple of 2^32.
  void shift_dsn(std::uint64_t shift);
  /// From now on mappings are verified; one that is under way can no more be.
  /// `at_once`: bytes are handed on as they come, and only what completes a mapping that fails is told as such: its receiver may not look at checksums.
  void use_checksums(bool on, bool at_once = false) {
    if (on && !checksums_ && current_.length != 0 && next_ > current_.position) held_broken_ = true;
    checksums_ = on;
    at_once_ = at_once;
  }
  /// The next position to be consumed.
  std::uint64_t next() const { return next_; }
  std::uint64_t acked() const { return acked_; }
  /// One past the highest position seen.
  std::uint64_t top() const { return top_; }
  bool started() const { return started_; }
  void start_at(std::uint64_t position) { start_at(position, position); }
  void start_at(std::uint64_t position, std::uint64_t acked) {
    not_consumed(position - next_);
    next_ = top_ = position;
    acked_ = acked;
  }
  /// Payload octets, each counted once, whether in order or not.
  std::uint64_t payload_bytes() const { return consumed_bytes() + (backlog_ ? backlog_->queue.covered(next_, ~0ULL) : 0); }
  /// Of payload_bytes(), those that do not wait.
  std::uint64_t consumed_bytes() const { return next_ - not_consumed(); }
  std::uint64_t held_bytes() const { return backlog_ ? backlog_->queue.held_bytes() + backlog_->copies.held_bytes() + backlog_->held_checksum_bytes : 0; }
  bool waiting() const { return backlog_ && !backlog_->queue.empty(); }
  const OverlapQueue* queue() const { return backlog_ ? &backlog_->queue : nullptr; }
  bool mapped_once() const { return mapped_once_; }

 private:
  /// What few directions need.
  struct Rare {
    std::uint64_t not_consumed = kFirstPosition;
    std::uint64_t plain_delta = 0;
  };
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  /// Positions before next() that no byte was consumed of: those before the first one, gaps, and what was cut.
  std::uint64_t not_consumed() const { return rare_ ? rare_->not_consumed : kFirstPosition; }
  void not_consumed(std::uint64_t more) {
    if (more != 0) rare().not_consumed += more;
  }
  std::uint64_t plain_delta() const { return rare_ ? rare_->plain_delta : 0; }
  /// What waits, made when something does.
  SubflowBacklog& backlog(SubflowOutput& out) {
    if (!backlog_) backlog_ = out.spare.take();
    return *backlog_;
  }
  /// Gives it back once nothing waits: an idle direction holds no memory.
  void settle(SubflowOutput& out) {
    if (backlog_ && backlog_->empty()) out.spare.give(std::move(backlog_));
  }
  void add_mapping(const Mapping& mapping, const Limits& limits, SubflowOutput& out);
  bool find_mapping(std::uint64_t position);
  std::uint64_t next_mapping_start(std::uint64_t position) const;
  void consume(std::uint64_t position, Consumed piece, const Limits& limits, SubflowOutput& out);
  void emit(Consumed&& piece, SubflowOutput& out);
  void hold(Consumed&& piece, SubflowOutput& out);
  void sum_up(Consumed&& piece, SubflowOutput& out);
  void drain(const Limits& limits, SubflowOutput& out);
  void note_hole(TimeNs now_ns);

  std::uint64_t next_ = kFirstPosition;
  std::uint64_t acked_ = kFirstPosition;
  std::uint64_t top_ = kFirstPosition;
  [[no_unique_address]] Mapping current_;  ///< in force if its length is not 0
  bool plain_ : 1 = false;
  bool checksums_ : 1 = false;
  bool at_once_ : 1 = false;
  bool started_ : 1 = false;
  bool mapped_once_ : 1 = false;
  bool held_broken_ : 1 = false;  ///< part of the current mapping was never seen: its checksum cannot be verified
  std::unique_ptr<Rare> rare_;
  std::unique_ptr<SubflowBacklog> backlog_;
};

}  // namespace weir::reassemble
