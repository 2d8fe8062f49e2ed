#include "reassemble/data_receiver.h"

#include <algorithm>
#include <utility>

namespace weir::reassemble {

void DataReceiver::deliver(std::span<const std::byte> bytes, KeptBytes kept, bool stays, std::uint32_t subflow, const Limits& limits, DataOutput& out) {
  if (limits.copies_bytes != 0 && next_ + bytes.size() > acked_) {
    out.uncompared_bytes += backlog(out).copies.push(next_, bytes, stays, CopyRing::kUnmapped, static_cast<std::uint64_t>(limits.copies_bytes));
  }
  out.delivered.push_back({.gap = false, .offset = next_ - first(), .size = bytes.size(), .subflow = subflow, .bytes = bytes, .kept = std::move(kept)});
  if (backlog_ && !backlog_->probes.empty()) judge_probes(bytes, out);
  next_ += bytes.size();
  top_ = std::max(top_, next_);
}

// A sender that finds the window closed probes it with the last number that was acknowledged, and puts the next octet of the stream there
// (Linux: mptcp_sendmsg_frag). The acknowledgement may have been seen elsewhere, or later: so a lone octet contradicts only if it is not
// the one that follows.
void DataReceiver::contradicted(std::uint64_t where, std::optional<std::byte> lone, DataOutput& out) {
  DataBacklog& d = backlog(out);
  std::uint64_t at = 0;
  if (lone && where + 1 < next_ && !d.copies.differs(where + 1, std::span(&*lone, 1), at)) return;
  if (lone && where + 1 >= next_ && d.probes.size() < kMostProbes) {
    d.probes.push_back({where, *lone});
    return;
  }
  out.conflict = true;
  out.conflict_offset = started_ ? where - first() : 0;
}

/// What comes next in the stream tells the probes that it follows.
void DataReceiver::judge_probes(std::span<const std::byte> bytes, DataOutput& out) {
  std::erase_if(backlog_->probes, [&](const DataBacklog::Probe& probe) {
    if (probe.position + 1 >= next_ + bytes.size()) return false;
    if (probe.position + 1 >= next_ && bytes[probe.position + 1 - next_] != probe.octet) {
      out.conflict = true;
      out.conflict_offset = probe.position - first();
    }
    return true;
  });
}

void DataReceiver::give_gap(std::uint64_t to, std::uint64_t cut, DataOutput& out) {
  Rare& r = rare();
  if (r.first_gap == kNone) r.first_gap = next_;
  out.delivered.push_back({.gap = true, .offset = next_ - first(), .size = to - next_, .subflow = 0, .bytes = {}, .kept = {}});
  r.gap_bytes += to - next_;
  r.cut_bytes += cut;
  next_ = to;
}

void DataReceiver::rebase(std::uint64_t first_dsn) {
  const std::uint64_t shift = dsn(kFirst) - first_dsn;
  if (shift == 0 || started_) return;
  origin_dsn_ = first_dsn - kFirst;
  for (std::uint64_t* at : {&acked_, &top_, &edge_}) {
    if (*at != 0) *at += shift;
  }
  if (fin_ != kNone) fin_ += shift;
  if (!backlog_) return;
  for (DataBacklog::Probe& probe : backlog_->probes) probe.position += shift;
  for (std::uint64_t* at : {&backlog_->first_ack, &backlog_->doubtful_fin}) {
    if (*at != kNone) *at += shift;
  }
  OverlapQueue moved;
  while (!backlog_->queue.empty()) {
    QueuedPiece piece = backlog_->queue.take_front();
    piece.begin += shift;
    piece.end += shift;
    moved.insert(std::move(piece));
  }
  backlog_->queue = std::move(moved);
}

void DataReceiver::start(std::uint64_t position, const Limits& limits, DataOutput& out) {
  started_ = true;
  next_ = position;
  if (position != kFirst) rare().start = position;
  top_ = std::max(top_, position);
  drain(limits, out);
}

/// The lowest byte held, of those that are no doubt the stream's.
std::uint64_t DataReceiver::lowest() const {
  if (!backlog_) return kNone;
  for (const auto& [begin, piece] : backlog_->queue.all()) {
    if (!piece.doubtful) return begin;
  }
  return kNone;
}

// What was under way when the capture began leaves holes below the first DATA_ACK that passes the bytes seen: the stream begins after
// the last of them. Holes further up are gaps of the capture and are told as such.
std::uint64_t DataReceiver::midstream_start() const {
  const std::uint64_t first_seen = lowest();
  std::uint64_t start = first_seen == kNone ? (has_ack_ ? acked_ : kFirst) : first_seen;
  if (!backlog_ || backlog_->first_ack == kNone) return start;
  std::uint64_t reached = start;
  for (const auto& [begin, piece] : backlog_->queue.all()) {
    if (piece.doubtful) continue;
    if (begin > reached && reached < backlog_->first_ack) start = begin;
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
    top_ = std::max(top_, end);
  }

  if (!started_) {
    auto result = backlog(out).queue.insert({.begin = in.position,
                                             .end = seen_end,
                                             .bytes = KeptBytes(bytes, in.stays),
                                             .subflow = in.subflow,
                                             .mapping = {},
                                             .cut = false,
                                             .doubtful = in.doubtful,
                                             .carried_ns = in.carried_ns != 0 ? in.carried_ns : in.time_ns});
    note_duplicate(in.doubtful ? 0 : bytes.size() - result.new_bytes);
    if (result.conflict) contradicted(result.conflict_position, result.lone, out);
    out.over_limit =
        std::cmp_greater(backlog_->queue.pieces(), limits.reorder_pieces) || std::cmp_greater(backlog_->queue.queued_bytes(), limits.reorder_bytes);
    return;
  }

  // A mapping that reaches before the first byte of the stream, as signed distances have it.
  if (static_cast<std::int64_t>(in.position - first()) < 0 && static_cast<std::int64_t>(end - first()) <= 0) return;

  std::uint64_t from = in.position;
  if (in.position < next_) {
    const std::uint64_t old_end = std::min(seen_end, next_);
    if (!in.doubtful && old_end > in.position) {
      note_duplicate(old_end - in.position);
      std::uint64_t where = 0;
      if (backlog_ && backlog_->copies.differs(in.position, bytes.first(static_cast<std::size_t>(old_end - in.position)), where)) {
        contradicted(where, bytes.size() == 1 ? std::optional(bytes[0]) : std::nullopt, out);
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
    if (backlog_) {
      note_duplicate(backlog_->queue.covered(from, seen_end));
      if (const auto found = backlog_->queue.difference(from, fresh); found.found) contradicted(found.where, found.lone, out);
      out.out_of_window |= backlog_->queue.doubtful_differs(from, fresh);
    }
    deliver(fresh, {}, in.stays, in.subflow, limits, out);
    from = seen_end;
  }
  DataBacklog& d = backlog(out);
  if (seen_end > from) {
    auto result = d.queue.insert({.begin = from,
                                  .end = seen_end,
                                  .bytes = KeptBytes(bytes.subspan(from - in.position), in.stays),
                                  .subflow = in.subflow,
                                  .mapping = {},
                                  .cut = false,
                                  .doubtful = in.doubtful});
    if (!in.doubtful) note_duplicate((seen_end - from) - result.new_bytes);
    if (result.conflict) contradicted(result.conflict_position, result.lone, out);
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
  if (!backlog_) return;
  DataBacklog& d = *backlog_;
  while (!d.queue.empty() && d.queue.front().begin <= next_) {
    const QueuedPiece& front = d.queue.front();
    if (front.doubtful && front.end > next_ && front.end > acked_) break;
    QueuedPiece piece = d.queue.take_front();
    if (piece.end <= next_) continue;
    if (next_ >= fin_) continue;
    if (piece.cut) {
      const std::uint64_t end = std::min(piece.end, fin_);
      give_gap(end, end - next_, out);
      continue;
    }
    piece.bytes.drop_front(next_ - piece.begin);
    if (fin_ != kNone && piece.end > fin_) piece.bytes.drop_back(piece.end - fin_);
    const auto bytes = piece.bytes.bytes();
    const bool stays = piece.bytes.stays();
    deliver(bytes, std::move(piece.bytes), stays, piece.subflow, limits, out);
    out.delivered.back().carried_ns = piece.carried_ns;
  }
  if (d.queue.empty()) d.hole_acked = false;
}

void DataReceiver::note_hole(TimeNs now_ns) {
  if (!backlog_ || backlog_->hole_acked || backlog_->queue.empty() || !has_ack_) return;
  if (backlog_->queue.front().begin > next_ && acked_ >= backlog_->queue.front().begin) {
    backlog_->hole_acked = true;
    backlog_->hole_acked_ns = now_ns;
  }
}

void DataReceiver::acknowledged(std::uint64_t position, TimeNs now_ns, const Limits& limits, DataOutput& out) {
  if (has_ack_ && position <= acked_) return;
  has_ack_ = true;
  acked_ = position;
  if (backlog_ && backlog_->doubtful_fin != kNone && position > backlog_->doubtful_fin) {
    fin(backlog_->doubtful_fin);
    backlog_->doubtful_fin = kNone;
  }
  if (!started_) {
    if (backlog_ && backlog_->first_ack == kNone && position > lowest()) backlog_->first_ack = position;
    return;
  }
  if (!backlog_) return;
  backlog_->copies.acknowledged(position);
  if (!backlog_->queue.empty()) {
    drain(limits, out);
    note_hole(now_ns);
  }
  settle(out);
}

bool DataReceiver::skip_gap(TimeNs now_ns, TimeNs wait_ns, bool force, const Limits& limits, DataOutput& out) {
  if (!started_ || !backlog_ || backlog_->queue.empty()) return false;
  if (!force && (!backlog_->hole_acked || now_ns - backlog_->hole_acked_ns < wait_ns)) return false;
  const QueuedPiece& front = backlog_->queue.front();
  if (!force && acked_ < front.begin) {  // the hole that was acknowledged has been filled: this is another
    backlog_->hole_acked = false;
    return false;
  }
  if (front.begin <= next_) {
    if (!force) return false;
    backlog_->queue.take_front();
  } else {
    const bool behind_end = front.begin >= fin_;  // kNone where no end is known
    if (const std::uint64_t end = std::min(front.begin, fin_); end > next_) give_gap(end, 0, out);
    if (behind_end) backlog_->queue.take_front();
  }
  backlog_->hole_acked = false;
  drain(limits, out);
  note_hole(now_ns);
  return true;
}

void DataReceiver::finish(TimeNs now_ns, const Limits& limits, DataOutput& out) {
  if (!started_) return;
  while (backlog_ && !backlog_->queue.empty() && backlog_->queue.front().begin > next_ && has_ack_ && acked_ >= backlog_->queue.front().begin) {
    skip_gap(now_ns, 0, true, limits, out);
  }
  const std::uint64_t data_acked = fin_ == kNone ? acked_ : std::min(acked_, fin_);
  if (has_ack_ && data_acked > next_) {
    Rare& r = rare();
    if (r.first_gap == kNone) r.first_gap = next_;
    const std::uint64_t covered = backlog_ ? backlog_->queue.covered(next_, data_acked) : 0;
    r.gap_bytes += data_acked - next_ - covered;
    r.unseen_end_bytes += data_acked - next_ - covered;
  }
  if (backlog_) {
    if (!backlog_->probes.empty()) {  // nothing followed
      out.conflict = true;
      out.conflict_offset = backlog_->probes.front().position - first();
      backlog_->probes.clear();
    }
    out.out_of_window |= std::ranges::any_of(backlog_->queue.all(), [](const auto& entry) { return entry.second.doubtful; });
  }
}

std::uint64_t DataReceiver::seen_bytes() const { return delivered_bytes() + (backlog_ ? backlog_->queue.covered(next_, kNone) : 0); }

OverlapQueue DataReceiver::take_queue() {
  if (!backlog_) return {};
  return std::exchange(backlog_->queue, {});
}

}  // namespace weir::reassemble
