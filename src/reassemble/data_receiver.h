// One direction of a connection, as its receiver delivers it: bytes in DSN order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/limits.h"
#include "base/seq.h"
#include "reassemble/copy_ring.h"
#include "reassemble/overlap_queue.h"
#include "reassemble/piece.h"
#include "reassemble/spare.h"

namespace weir::reassemble {

/// A piece of the stream, or (gap) a run of bytes that no capture point showed.
struct Delivered {
  bool gap = false;
  std::uint64_t offset = 0;  ///< from the first byte of the stream = 0
  std::uint64_t size = 0;
  std::uint32_t subflow = 0;
  std::span<const std::byte> bytes;
  KeptBytes kept;
  TimeNs carried_ns = 0;  ///< of its packet, if it came before delivery began; 0: it did not
};

/// What a direction holds besides its position: bytes out of order, copies to compare with.
struct DataBacklog {
  OverlapQueue queue;
  CopyRing copies;
  TimeNs hole_acked_ns = 0;
  bool hole_acked = false;
  std::uint64_t first_ack = kNone;     ///< while not started: the first acknowledgement past the lowest byte seen
  std::uint64_t doubtful_fin = kNone;  ///< told by a segment that the receiver may have thrown away
  /// A lone octet that differs from another copy, and may be a probe of a closed window.
  struct Probe {
    std::uint64_t position = 0;
    std::byte octet{};
  };
  std::vector<Probe> probes;  ///< at most DataReceiver::kMostProbes: more are told at once
  bool empty() const { return queue.empty() && copies.empty() && probes.empty() && doubtful_fin == kNone; }
  static constexpr std::uint64_t kNone = ~0ULL;
};

struct DataOutput {
  Spare<DataBacklog> spare;
  std::vector<Delivered> delivered;
  bool conflict = false;
  std::uint64_t conflict_offset = 0;  ///< of the first byte that differs; offsets before the start of the stream come as 0
  bool out_of_window = false;         ///< bytes beyond the window: they were given another value later, or (finish) never acknowledged
  bool over_limit = false;
  std::uint64_t uncompared_bytes = 0;
  void clear() {
    delivered.clear();
    conflict = out_of_window = over_limit = false;
    conflict_offset = uncompared_bytes = 0;
  }
};

/// Purpose: THREATS.md, "What counts as delivered", rule 4.
/// Positions are DSN - origin, 64 bits, so that the first byte of the stream has kFirst; before hold() ends nothing is delivered.
/// Invariant: next() only grows once started; every offset is delivered, or is a gap, at most once and in order.
/// Bounds: Limits::reorder_*, copies_bytes. One owner, one thread, no clock.
class DataReceiver {
 public:
  static constexpr std::uint64_t kFirst = 1ULL << 40U;  ///< earlier DSNs have positions too
  static constexpr std::uint64_t kNone = DataBacklog::kNone;
  static constexpr std::size_t kMostProbes = 16;

  bool has_origin() const { return has_origin_; }
  /// `dsn` becomes kFirst. `narrow`: only its low 32 bits are known (a 4-octet DSN of a stream without keys).
  void set_origin(std::uint64_t dsn, bool narrow = false) {
    origin_dsn_ = dsn - kFirst;
    has_origin_ = true;
    narrow_ = narrow;
  }
  bool narrow() const { return narrow_; }
  /// The upper bits have become known by a DSN nearby: positions stay, DSNs given before move by what is returned.
  std::uint64_t widen(std::uint64_t near) {
    if (!narrow_) return 0;
    narrow_ = false;
    const std::uint64_t shift = extend(static_cast<std::uint32_t>(dsn(kFirst)), DataSeq{near}).value - dsn(kFirst);
    origin_dsn_ += shift;
    return shift;
  }
  /// The stream's first byte turns out to be `first_dsn`: what is held so far moves to the positions that it gives. Not once started.
  void rebase(std::uint64_t first_dsn);
  /// Where the stream is: what a 4-octet DSN is near to.
  std::uint64_t here() const { return started_ ? next_ : top_ > kFirst ? top_ : kFirst; }
  /// What a DATA_ACK is near to.
  std::uint64_t near_ack() const { return has_ack_ ? acked_ : started_ ? next_ : kFirst; }
  /// No sender is 2^31 octets ahead of what was acknowledged: such a DATA_ACK is not to be believed.
  bool believable_ack(std::uint64_t position) const {
    constexpr std::int64_t kFarthest = 1LL << 31;
    const auto ahead = static_cast<std::int64_t>(position - near_ack());
    return ahead <= kFarthest && ahead >= -kFarthest;
  }
  std::uint64_t position(std::uint64_t dsn) const { return dsn - origin_dsn_; }
  std::uint64_t dsn(std::uint64_t position) const { return position + origin_dsn_; }

  bool started() const { return started_; }
  /// Delivery begins, with the byte at `position` as offset 0.
  void start(std::uint64_t position, const Limits& limits, DataOutput& out);
  /// Where a stream seen from its middle begins: after what was under way when the capture began.
  std::uint64_t midstream_start() const;

  void arrive(const Arrival& in, const Limits& limits, DataOutput& out);
  void acknowledged(std::uint64_t position, TimeNs now_ns, const Limits& limits, DataOutput& out);
  /// Right edge of what the receiver's window allows; only grows.
  void window(std::uint64_t right_edge) {
    if (!has_edge_ || right_edge > edge_) edge_ = right_edge;
    has_edge_ = true;
  }
  /// The DATA_FIN stands at `position`. The first one counts.
  void fin(std::uint64_t position) {
    if (fin_ == kNone) fin_ = position;
  }
  /// The stream has been told to be over: nothing follows, whatever comes.
  void end_here() { end_at(next_); }
  /// The stream ends before `position`, or where it was known to end if that is earlier.
  void end_at(std::uint64_t position) { fin_ = std::min(fin_, position); }
  /// A DATA_FIN in a segment that the receiver may have thrown away: it counts once it is acknowledged.
  void doubtful_fin(std::uint64_t position, DataOutput& out) { backlog(out).doubtful_fin = position; }
  std::uint64_t doubtful_fin_position() const { return backlog_ ? backlog_->doubtful_fin : kNone; }
  /// Whether an acknowledged hole has been waited for long enough.
  bool gap_due(TimeNs now_ns, TimeNs wait_ns) const { return started_ && waiting() && backlog_->hole_acked && now_ns - backlog_->hole_acked_ns >= wait_ns; }
  bool skip_gap(TimeNs now_ns, TimeNs wait_ns, bool force, const Limits& limits, DataOutput& out);
  /// Nothing more will come: gives what stands behind acknowledged gaps, and counts what was never seen.
  void finish(TimeNs now_ns, const Limits& limits, DataOutput& out);

  std::uint64_t next() const { return next_; }
  /// The position of offset 0.
  std::uint64_t first() const {
    const auto* const rare = rare_.get();
    return rare != nullptr ? rare->start : kFirst;
  }
  std::uint64_t acked() const { return acked_; }
  bool has_ack() const { return has_ack_; }
  std::uint64_t top() const { return top_; }
  std::uint64_t edge() const { return edge_; }
  bool has_edge() const { return has_edge_; }
  bool has_fin() const { return fin_ != kNone; }
  std::uint64_t fin_position() const { return fin_; }
  bool fin_reached() const { return fin_ != kNone && started_ && next_ >= fin_; }
  std::uint64_t offset_of(std::uint64_t position) const { return position - first(); }
  /// Bytes rebuilt in order from the start, up to the first gap.
  std::uint64_t bytes() const { return (rare_ && rare_->first_gap != kNone ? rare_->first_gap : next_) - first(); }
  std::uint64_t seen_bytes() const;
  /// Of seen_bytes(), those that do not wait.
  std::uint64_t delivered_bytes() const { return started_ ? next_ - first() - (rare_ ? rare_->gap_bytes - rare_->unseen_end_bytes : 0) : 0; }
  std::uint64_t gap_bytes() const { return rare_ ? rare_->gap_bytes : 0; }
  /// Of gap_bytes(), those that a packet carried but the snap length cut off.
  std::uint64_t cut_bytes() const { return rare_ ? rare_->cut_bytes : 0; }
  std::uint64_t duplicate_bytes() const { return rare_ ? rare_->duplicate_bytes : 0; }
  std::uint64_t held_bytes() const { return backlog_ ? backlog_->queue.held_bytes() + backlog_->copies.held_bytes() : 0; }
  const OverlapQueue* queue() const { return backlog_ ? &backlog_->queue : nullptr; }
  bool waiting() const { return backlog_ && !backlog_->queue.empty(); }
  /// Forgets what a subflow gave that turned out not to be authentic, as far as it was not delivered.
  void drop_subflow(std::uint32_t subflow) {
    if (backlog_) backlog_->queue.drop_subflow(subflow);
  }
  /// Takes the pieces out of a receiver that has not started, to give them to another.
  OverlapQueue take_queue();

 private:
  /// What few directions need.
  struct Rare {
    std::uint64_t start = kFirst;
    std::uint64_t first_gap = kNone;
    std::uint64_t gap_bytes = 0;
    std::uint64_t unseen_end_bytes = 0;  ///< of these, those behind next(), counted when nothing more will come
    std::uint64_t cut_bytes = 0;
    std::uint64_t duplicate_bytes = 0;
  };
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  void note_duplicate(std::uint64_t bytes) {
    if (bytes != 0) rare().duplicate_bytes += bytes;
  }
  DataBacklog& backlog(DataOutput& out) {
    if (!backlog_) backlog_ = out.spare.take();
    return *backlog_;
  }
  std::uint64_t lowest() const;
  void settle(DataOutput& out) {
    if (!backlog_ || !backlog_->empty()) return;
    backlog_->first_ack = kNone;
    out.spare.give(std::move(backlog_));
  }
  void deliver(std::span<const std::byte> bytes, KeptBytes kept, bool stays, std::uint32_t subflow, const Limits& limits, DataOutput& out);
  void give_gap(std::uint64_t to, std::uint64_t cut, DataOutput& out);
  void contradicted(std::uint64_t where, std::optional<std::byte> lone, DataOutput& out);
  void judge_probes(std::span<const std::byte> bytes, DataOutput& out);
  void drain(const Limits& limits, DataOutput& out);
  void note_hole(TimeNs now_ns);

  std::uint64_t origin_dsn_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t top_ = 0;
  std::uint64_t edge_ = 0;
  std::uint64_t fin_ = kNone;
  bool has_origin_ : 1 = false;
  bool narrow_ : 1 = false;
  bool has_edge_ : 1 = false;
  bool has_ack_ : 1 = false;
  bool started_ : 1 = false;
  std::unique_ptr<Rare> rare_;
  std::unique_ptr<DataBacklog> backlog_;
};

}  // namespace weir::reassemble
