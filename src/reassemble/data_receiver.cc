#include "reassemble/data_receiver.h"

#include <algorithm>
#include <utility>

namespace weir::reassemble {

void DataReceiver::deliver(std::span<const std::byte> bytes, KeptBytes kept, bool stays, std::uint32_t subflow, const Limits& limits, DataOutput& out) {
  if (limits.copies_bytes != 0 && next_ + bytes.size() > acked_) {
    out.uncompared_bytes += deep().copies.push(next_, bytes, stays, CopyRing::kUnmapped, static_cast<std::uint64_t>(limits.copies_bytes));
  }
  out.delivered.push_back({.gap = false, .offset = next_ - start_, .size = bytes.size(), .subflow = subflow, .bytes = bytes, .kept = std::move(kept)});
  delivered_bytes_ += bytes.size();
  next_ += bytes.size();
  top_ = std::max(top_, next_);
}

void DataReceiver::give_gap(std::uint64_t to, std::uint64_t cut, DataOutput& out) {
  if (first_gap_ == kNone) first_gap_ = next_;
  out.delivered.push_back({.gap = true, .offset = next_ - start_, .size = to - next_, .subflow = 0, .bytes = {}, .kept = {}});
  gap_bytes_ += to - next_;
  cut_bytes_ += cut;
  next_ = to;
}

void DataReceiver::rebase(std::uint64_t first_dsn) {
  widen(first_dsn);
  const std::uint64_t shift = dsn(kFirst) - first_dsn;
  if (shift == 0 || started_) return;
  origin_dsn_ = first_dsn - kFirst;
  for (std::uint64_t* at : {&acked_, &top_, &edge_}) {
    if (*at != 0) *at += shift;
  }
  for (std::uint64_t* at : {&first_ack_, &lowest_, &fin_, &doubtful_fin_}) {
    if (*at != kNone) *at += shift;
  }
  if (!deep_) return;
  OverlapQueue moved;
  while (!deep_->queue.empty()) {
    QueuedPiece piece = deep_->queue.take_front();
    piece.begin += shift;
    piece.end += shift;
    moved.insert(std::move(piece));
  }
  deep_->queue = std::move(moved);
}

void DataReceiver::start(std::uint64_t position, const Limits& limits, DataOutput& out) {
  started_ = true;
  next_ = start_ = position;
  top_ = std::max(top_, position);
  drain(limits, out);
}

// What was under way when the capture began leaves holes below the first DATA_ACK that passes the bytes seen: the stream begins after
// the last of them. Holes further up are gaps of the capture and are told as such.
std::uint64_t DataReceiver::midstream_start() const {
  std::uint64_t start = lowest_ == kNone ? (has_ack_ ? acked_ : kFirst) : lowest_;
  if (!deep_ || first_ack_ == kNone) return start;
  std::uint64_t reached = start;
  for (const auto& [begin, piece] : deep_->queue.all()) {
    if (piece.doubtful) continue;
    if (begin > reached && reached < first_ack_) start = begin;
    reached = std::max(reached, piece.end);
  }
  return start;
}

void DataReceiver::arrive(const Arrival& in, const Limits& limits, DataOutput& out) {
  std::uint64_t end = in.position + in.size;
  std::uint64_t seen_end = in.position + in.bytes.size();
  if (fin_ != kNone) {  // nothing follows the DATA_FIN (RFC 8684 §3.3.3)
    end = std::min(end, fin_);
    seen_end = std::min(seen_end, fin_);
  }
  if (end <= in.position) return;
  const auto bytes = in.bytes.first(static_cast<std::size_t>(seen_end - in.position));
  if (!in.doubtful) {
    lowest_ = std::min(lowest_, in.position);
    top_ = std::max(top_, end);
  }

  if (!started_) {
    auto result = deep().queue.insert({.begin = in.position, .end = seen_end, .bytes = KeptBytes(bytes, in.stays), .subflow = in.subflow, .mapping = {}, .cut = false, .doubtful = in.doubtful});
    duplicate_bytes_ += in.doubtful ? 0 : bytes.size() - result.new_bytes;
    if (result.conflict) {
      out.conflict = true;
      out.conflict_offset = 0;
    }
    out.over_limit = std::cmp_greater(deep_->queue.pieces(), limits.reorder_pieces) || std::cmp_greater(deep_->queue.queued_bytes(), limits.reorder_bytes);
    return;
  }

  // A mapping that reaches before the first byte of the stream, as signed distances have it.
  if (static_cast<std::int64_t>(in.position - start_) < 0 && static_cast<std::int64_t>(end - start_) <= 0) return;

  std::uint64_t from = in.position;
  if (in.position < next_) {
    const std::uint64_t old_end = std::min(seen_end, next_);
    if (!in.doubtful && old_end > in.position) {
      duplicate_bytes_ += old_end - in.position;
      std::uint64_t where = 0;
      if (deep_ && deep_->copies.differs(in.position, bytes.first(static_cast<std::size_t>(old_end - in.position)), where)) {
        out.conflict = true;
        out.conflict_offset = where - start_;
      }
    }
    if (end <= next_) return;
    from = next_;
  }

  if (from == next_ && !in.doubtful && !waiting() && seen_end == end) {
    deliver(bytes.subspan(from - in.position), {}, in.stays, in.subflow, limits, out);
    return;
  }
  if (from == next_ && !in.doubtful && seen_end > from) {
    const auto fresh = bytes.subspan(from - in.position);
    if (deep_) {
      std::uint64_t where = 0;
      duplicate_bytes_ += deep_->queue.covered(from, seen_end);
      if (deep_->queue.differs(from, fresh, where)) {
        out.conflict = true;
        out.conflict_offset = where - start_;
      }
      out.out_of_window |= deep_->queue.doubtful_differs(from, fresh);
    }
    deliver(fresh, {}, in.stays, in.subflow, limits, out);
    from = seen_end;
  }
  Deep& d = deep();
  if (seen_end > from) {
    auto result = d.queue.insert({.begin = from,
                                  .end = seen_end,
                                  .bytes = KeptBytes(bytes.subspan(from - in.position), in.stays),
                                  .subflow = in.subflow,
                                  .mapping = {},
                                  .cut = false,
                                  .doubtful = in.doubtful});
    if (!in.doubtful) duplicate_bytes_ += (seen_end - from) - result.new_bytes;
    if (result.conflict) {
      out.conflict = true;
      out.conflict_offset = result.conflict_position - start_;
    }
    out.out_of_window |= result.contradicts_doubtful;
  }
  if (end > seen_end && end > next_) {
    d.queue.insert({.begin = std::max(from, seen_end), .end = end, .bytes = {}, .subflow = in.subflow, .mapping = {}, .cut = true, .doubtful = in.doubtful});
  }
  drain(limits, out);
  note_hole(in.time_ns);
  out.over_limit = std::cmp_greater(d.queue.pieces(), limits.reorder_pieces) || std::cmp_greater(d.queue.queued_bytes(), limits.reorder_bytes);
}

void DataReceiver::drain(const Limits& limits, DataOutput& out) {
  if (!deep_) return;
  Deep& d = *deep_;
  while (!d.queue.empty() && d.queue.front().begin <= next_) {
    const QueuedPiece& front = d.queue.front();
    if (front.doubtful && front.end > next_ && front.end > acked_) break;
    QueuedPiece piece = d.queue.take_front();
    if (piece.end <= next_) continue;
    if (fin_ != kNone && piece.begin >= fin_) continue;
    if (piece.cut) {
      give_gap(piece.end, piece.end - next_, out);
      continue;
    }
    piece.bytes.drop_front(next_ - piece.begin);
    if (fin_ != kNone && piece.end > fin_) piece.bytes.drop_back(piece.end - fin_);
    const auto bytes = piece.bytes.bytes();
    const bool stays = piece.bytes.stays();
    deliver(bytes, std::move(piece.bytes), stays, piece.subflow, limits, out);
  }
  if (d.queue.empty()) d.hole_acked = false;
}

void DataReceiver::note_hole(TimeNs now_ns) {
  if (!deep_ || deep_->hole_acked || deep_->queue.empty() || !has_ack_) return;
  if (deep_->queue.front().begin > next_ && acked_ >= deep_->queue.front().begin) {
    deep_->hole_acked = true;
    deep_->hole_acked_ns = now_ns;
  }
}

void DataReceiver::acknowledged(std::uint64_t position, TimeNs now_ns, const Limits& limits, DataOutput& out) {
  if (has_ack_ && position <= acked_) return;
  has_ack_ = true;
  acked_ = position;
  if (fin_ == kNone && doubtful_fin_ != kNone && position > doubtful_fin_) fin_ = doubtful_fin_;
  if (!started_) {
    if (first_ack_ == kNone && lowest_ != kNone && position > lowest_) first_ack_ = position;
    return;
  }
  if (!deep_) return;
  deep_->copies.acknowledged(position);
  if (deep_->queue.empty()) return;
  drain(limits, out);
  note_hole(now_ns);
}

bool DataReceiver::skip_gap(TimeNs now_ns, TimeNs wait_ns, bool force, const Limits& limits, DataOutput& out) {
  if (!started_ || !deep_ || deep_->queue.empty()) return false;
  if (!force && (!deep_->hole_acked || now_ns - deep_->hole_acked_ns < wait_ns)) return false;
  const QueuedPiece& front = deep_->queue.front();
  if (front.begin <= next_) {
    if (!force) return false;
    deep_->queue.take_front();
  } else {
    give_gap(front.begin, 0, out);
  }
  deep_->hole_acked = false;
  drain(limits, out);
  note_hole(now_ns);
  return true;
}

void DataReceiver::finish(TimeNs now_ns, const Limits& limits, DataOutput& out) {
  if (!started_) return;
  while (deep_ && !deep_->queue.empty() && deep_->queue.front().begin > next_ && has_ack_ && acked_ >= deep_->queue.front().begin) {
    skip_gap(now_ns, 0, true, limits, out);
  }
  const std::uint64_t data_acked = fin_ == kNone ? acked_ : std::min(acked_, fin_);
  if (has_ack_ && data_acked > next_) {
    if (first_gap_ == kNone) first_gap_ = next_;
    const std::uint64_t covered = deep_ ? deep_->queue.covered(next_, data_acked) : 0;
    gap_bytes_ += data_acked - next_ - covered;
  }
  if (deep_) {
    out.out_of_window |= std::ranges::any_of(deep_->queue.all(), [](const auto& entry) { return entry.second.doubtful; });
  }
}

std::uint64_t DataReceiver::seen_bytes() const { return delivered_bytes_ + (deep_ ? deep_->queue.covered(next_, kNone) : 0); }

OverlapQueue DataReceiver::take_queue() {
  if (!deep_) return {};
  return std::exchange(deep_->queue, {});
}

void DataReceiver::trim() {
  if (deep_ && deep_->queue.empty() && deep_->copies.empty()) deep_.reset();
}

}  // namespace weir::reassemble
