#include "reassemble/subflow_receiver.h"

#include <algorithm>
#include <utility>

namespace weir::reassemble {

namespace {

bool overlap(const Mapping& a, const Mapping& b) { return a.position < b.end() && b.position < a.end(); }

/// Splits `n` octets off the front of a piece.
Consumed split_front(Consumed& piece, std::uint32_t n) {
  Consumed front;
  front.cut = piece.cut;
  front.stays = piece.stays;
  front.position = piece.position;
  front.size = n;
  if (!piece.cut) {
    front.bytes = piece.bytes.first(n);
    piece.bytes = piece.bytes.subspan(n);
  }
  piece.position += n;
  piece.size -= n;
  return front;
}

}  // namespace

bool SubflowReceiver::contradicts(const Mapping& m) const {
  if (current_.length != 0 && overlap(current_, m) && current_.delta() != m.delta()) return true;
  if (!backlog_) return false;
  if (m.position < next_ && backlog_->copies.mapped_otherwise(m.position, std::min(m.end(), next_), m.delta())) return true;
  return std::ranges::any_of(backlog_->ahead, [&](const Mapping& other) { return overlap(other, m) && other.delta() != m.delta(); });
}

void SubflowReceiver::add_mapping(const Mapping& m, const Limits& limits, SubflowOutput& out) {
  if (current_.length != 0 && m.position == current_.position && m.dsn == current_.dsn && m.length == current_.length) return;
  if (contradicts(m)) {
    out.mapping_conflict = true;  // bytes once mapped stay so (RFC 8684 §3.3)
    out.conflict_position = m.position;
    return;
  }
  if (m.end() <= next_) return;
  const bool current_done = current_.length == 0 || current_.end() <= next_;
  if (current_done && m.position <= next_ && (!backlog_ || (backlog_->ahead.empty() && backlog_->held.empty()))) {
    current_ = m;
    held_broken_ = m.position < next_;
    return;
  }
  // Where it agrees with what is known only its new parts are added; without the whole of it they have no checksum.
  std::vector<Mapping> parts{m};
  const auto subtract = [&parts](const Mapping& known) {
    std::vector<Mapping> rest;
    for (Mapping part : parts) {
      if (known.length == 0 || !overlap(part, known)) {
        rest.push_back(part);
        continue;
      }
      if (part.position < known.position) {
        Mapping left = part;
        left.length = static_cast<std::uint32_t>(known.position - part.position);
        left.checksum.reset();
        rest.push_back(left);
      }
      if (part.end() > known.end()) {
        Mapping right = part;
        right.length = static_cast<std::uint32_t>(part.end() - known.end());
        right.position = known.end();
        right.dsn = right.position + part.delta();
        right.checksum.reset();
        rest.push_back(right);
      }
    }
    parts = std::move(rest);
  };
  subtract(current_);
  for (const Mapping& known : backlog(out).ahead) subtract(known);
  for (const Mapping& part : parts) {
    if (std::cmp_greater_equal(backlog(out).ahead.size(), limits.mappings)) {
      ++out.mappings_refused;
      return;
    }
    const auto at = std::ranges::upper_bound(backlog(out).ahead, part.position, {}, &Mapping::position);
    backlog(out).ahead.insert(at, part);
  }
}

void SubflowReceiver::forget_mappings() {
  current_.length = 0;
  if (!backlog_) return;
  backlog_->ahead.clear();
  backlog_->sum.reset();
  backlog_->queue.forget_mappings();
}

/// Makes the mapping that covers `position` the current one, if there is one.
bool SubflowReceiver::find_mapping(std::uint64_t position) {
  if (current_.length != 0 && position >= current_.position && position < current_.end()) return true;
  if (!backlog_) return false;
  auto& ahead = backlog_->ahead;
  while (!ahead.empty() && ahead.front().end() <= position) ahead.erase(ahead.begin());
  if (ahead.empty() || ahead.front().position > position) return false;
  current_ = ahead.front();
  held_broken_ = current_.position < position;
  ahead.erase(ahead.begin());
  return true;
}

std::uint64_t SubflowReceiver::next_mapping_start(std::uint64_t position) const {
  std::uint64_t start = ~0ULL;
  if (current_.length != 0 && current_.position > position) start = current_.position;
  if (backlog_ && !backlog_->ahead.empty()) start = std::min(start, backlog_->ahead.front().position);
  return start;
}

void SubflowReceiver::emit(Consumed&& piece, SubflowOutput& out) {
  if (piece.size != 0) out.consumed.push_back(std::move(piece));
}

/// Keeps a piece of a mapping with a checksum until the mapping is complete (THREATS.md, rule 3; RFC 8684 §3.3).
void SubflowReceiver::hold(Consumed&& piece, SubflowOutput& out) {
  SubflowBacklog& d = backlog(out);
  if (piece.cut) held_broken_ = true;
  const std::uint64_t reached = piece.position + piece.size;
  const bool complete = reached >= current_.end();
  if (!complete || !d.held.empty()) {
    if (!complete && !piece.cut) {
      // What waits must outlive its packet.
      piece.kept = KeptBytes(piece.bytes, piece.stays);
      piece.bytes = piece.kept.bytes();
      d.held_checksum_bytes += piece.kept.held_bytes();
    }
    d.held.push_back(std::move(piece));
    if (!complete) return;
  } else {
    d.held.push_back(std::move(piece));
  }
  bool good = held_broken_;  // what was never seen cannot be verified: the rest is taken as it is
  if (!good) {
    DssChecksum sum(current_.dsn, current_.ssn, current_.wire_length, *current_.checksum);
    for (const Consumed& c : d.held) sum.add(c.bytes);
    good = sum.verifies();
  }
  if (!good) out.checksum_failed = true;
  for (Consumed& c : d.held) {
    if (!good) c.kind = Consumed::Kind::kBadChecksum;
    emit(std::move(c), out);
  }
  d.held.clear();
  d.held_checksum_bytes = 0;
  current_.length = 0;
}

/// Hands a piece on at once; the one that completes its mapping tells whether the checksum was right.
void SubflowReceiver::sum_up(Consumed&& piece, SubflowOutput& out) {
  SubflowBacklog& d = backlog(out);
  if (piece.position == current_.position) d.sum.emplace(current_.dsn, current_.ssn, current_.wire_length, *current_.checksum);
  if (piece.cut || !d.sum) held_broken_ = true;
  if (!held_broken_) d.sum->add(piece.bytes);
  if (piece.position + piece.size >= current_.end()) {
    if (!held_broken_ && !d.sum->verifies()) {
      out.checksum_failed = true;
      piece.kind = Consumed::Kind::kBadChecksum;
    }
    d.sum.reset();
    current_.length = 0;
  }
  emit(std::move(piece), out);
}

/// Takes a piece at next_: cuts it at the ends of mappings and hands each part on.
void SubflowReceiver::consume(std::uint64_t position, Consumed piece, const Limits& limits, SubflowOutput& out) {
  piece.position = position;
  next_ = position + piece.size;
  top_ = std::max(top_, next_);
  started_ = true;
  if (piece.cut) not_consumed(piece.size);
  while (piece.size != 0) {
    std::uint64_t until = piece.position + piece.size;
    const bool mapped = find_mapping(piece.position);
    if (mapped) {
      until = std::min(until, current_.end());
    } else {
      until = std::min(until, next_mapping_start(piece.position));
    }
    const auto n = static_cast<std::uint32_t>(until - piece.position);
    const bool last = n == piece.size;
    Consumed part = split_front(piece, n);
    // The copy that waited belongs to the last part; the earlier ones are given copies of their own.
    if (last) {
      part.kept = std::move(piece.kept);
    } else if (!part.cut && !piece.kept.bytes().empty() && !piece.kept.stays()) {
      part.kept = KeptBytes(part.bytes, false);
      part.bytes = part.kept.bytes();
    }
    std::uint64_t delta = CopyRing::kUnmapped;
    if (mapped) {
      delta = current_.delta();
      part.dsn = part.position + delta;
      mapped_once_ = true;
    } else if (plain_) {
      delta = plain_delta();
      part.dsn = part.position + delta;
    } else {
      part.kind = Consumed::Kind::kUnmapped;
    }
    if (!part.cut && limits.copies_bytes != 0 && part.position + part.size > acked_) {
      out.uncompared_bytes += backlog(out).copies.push(part.position, part.bytes, part.stays, delta, static_cast<std::uint64_t>(limits.copies_bytes));
    }
    if (mapped && checksums_ && current_.checksum && at_once_) {
      sum_up(std::move(part), out);
    } else if (mapped && checksums_ && current_.checksum) {
      hold(std::move(part), out);
    } else {
      emit(std::move(part), out);
    }
  }
}

void SubflowReceiver::shift_dsn(std::uint64_t shift) {
  current_.dsn += shift;
  if (plain_) rare().plain_delta += shift;
  if (!backlog_) return;
  for (Mapping& mapping : backlog_->ahead) mapping.dsn += shift;
  for (Consumed& held : backlog_->held) held.dsn += shift;
  backlog_->queue.shift_dsn(shift);
  backlog_->copies.shift_delta(shift);
}

void SubflowReceiver::arrive(const Arrival& arrival, const Mapping* mapping, const Limits& limits, SubflowOutput& out) {
  Arrival in = arrival;
  const std::uint64_t end = in.position + in.size;
  // Another capture point has shown that the receiver took it.
  if (end <= acked_) in.doubtful = false;
  if (!in.doubtful) top_ = std::max(top_, end);
  if (in.size == 0) return;

  const std::uint64_t seen_end = in.position + in.bytes.size();
  if (in.position < next_ && backlog_ && !in.doubtful) {
    const auto old = in.bytes.first(static_cast<std::size_t>(std::min(seen_end, next_) - in.position));
    std::uint64_t where = 0;
    if (backlog_->copies.differs(in.position, old, where)) {
      out.segment_conflict = true;
      out.conflict_position = where;
    }
  }
  if (end <= next_) {
    if (end > acked_ && mapping != nullptr && !in.doubtful && contradicts(*mapping)) {
      out.mapping_conflict = true;
      out.conflict_position = mapping->position;
    }
    return;
  }

  const std::uint64_t from = std::max(in.position, next_);
  const bool now = from == next_ && !in.doubtful;
  if (now && !waiting() && seen_end == end) {
    // The fast path: in order, whole, nothing waiting. No copy.
    if (mapping != nullptr) add_mapping(*mapping, limits, out);
    Consumed piece;
    piece.stays = in.stays;
    piece.bytes = in.bytes.subspan(from - in.position);
    piece.size = static_cast<std::uint32_t>(piece.bytes.size());
    consume(from, std::move(piece), limits, out);
    return;
  }

  if (now) {
    const auto fresh = seen_end > from ? in.bytes.subspan(from - in.position) : std::span<const std::byte>{};
    std::uint64_t where = 0;
    if (backlog_ && backlog_->queue.differs(from, fresh, where)) {
      out.segment_conflict = true;
      out.conflict_position = where;
    }
    if (mapping != nullptr) add_mapping(*mapping, limits, out);
    if (!fresh.empty()) {
      Consumed piece;
      piece.stays = in.stays;
      piece.bytes = fresh;
      piece.size = static_cast<std::uint32_t>(fresh.size());
      consume(from, std::move(piece), limits, out);
    }
    if (end > seen_end && next_ < end) {
      backlog(out).queue.insert(
          {.begin = std::max(next_, seen_end), .end = end, .bytes = {}, .subflow = in.subflow, .mapping = {}, .cut = true, .doubtful = false});
    }
    drain(limits, out);
    return;
  }

  SubflowBacklog& d = backlog(out);
  std::optional<Mapping> carried;  // counts once the piece is consumed
  if (mapping != nullptr) {
    carried = *mapping;
    if (!in.doubtful && (d.queue.mapped_otherwise(from, end, *mapping) || contradicts(*mapping))) {
      out.mapping_conflict = true;
      out.conflict_position = mapping->position;
    }
  }
  if (seen_end > from) {
    const auto result = d.queue.insert({.begin = from,
                                        .end = seen_end,
                                        .bytes = KeptBytes(in.bytes.subspan(from - in.position), in.stays),
                                        .subflow = in.subflow,
                                        .mapping = carried,
                                        .cut = false,
                                        .doubtful = in.doubtful});
    if (result.conflict) {
      out.segment_conflict = true;
      out.conflict_position = result.conflict_position;
    }
  }
  if (end > seen_end) {
    d.queue.insert(
        {.begin = std::max(from, seen_end), .end = end, .bytes = {}, .subflow = in.subflow, .mapping = carried, .cut = true, .doubtful = in.doubtful});
  }
  note_hole(in.time_ns);
  out.over_limit = std::cmp_greater(d.queue.pieces(), limits.reorder_pieces) || std::cmp_greater(d.queue.queued_bytes(), limits.reorder_bytes);
}

void SubflowReceiver::drain(const Limits& limits, SubflowOutput& out) {
  if (!backlog_) return;
  SubflowBacklog& d = *backlog_;
  while (!d.queue.empty() && d.queue.front().begin <= next_) {
    if (d.queue.front().doubtful && d.queue.front().end > next_ && d.queue.front().end > acked_) break;
    QueuedPiece piece = d.queue.take_front();
    if (piece.end <= next_) continue;
    if (piece.mapping) add_mapping(*piece.mapping, limits, out);
    Consumed consumed;
    consumed.cut = piece.cut;
    consumed.stays = piece.cut || piece.bytes.stays();
    if (!piece.cut) {
      piece.bytes.drop_front(next_ - piece.begin);
      consumed.kept = std::move(piece.bytes);
      consumed.bytes = consumed.kept.bytes();
    }
    consumed.size = static_cast<std::uint32_t>(piece.end - next_);
    consume(next_, std::move(consumed), limits, out);
  }
  if (d.queue.empty()) d.hole_acked = false;
}

/// Starts the wait for a hole once the receiver has acknowledged past it.
void SubflowReceiver::note_hole(TimeNs now_ns) {
  if (!backlog_ || backlog_->hole_acked || backlog_->queue.empty()) return;
  if (backlog_->queue.front().begin > next_ && acked_ >= backlog_->queue.front().begin) {
    backlog_->hole_acked = true;
    backlog_->hole_acked_ns = now_ns;
  }
}

void SubflowReceiver::acknowledged(std::uint64_t position, TimeNs now_ns, SubflowOutput& out, const Limits& limits) {
  if (position <= acked_) return;
  acked_ = position;
  if (!backlog_) return;
  backlog_->copies.acknowledged(position);
  if (!backlog_->queue.empty()) {
    drain(limits, out);
    note_hole(now_ns);
  }
  settle(out);
}

bool SubflowReceiver::confirmed(std::uint64_t missing, std::uint64_t acked, TimeNs now_ns, const Limits& limits, SubflowOutput& out) {
  bool any = false;
  while (waiting() && backlog_->queue.front().doubtful && backlog_->queue.front().begin <= next_) {
    const QueuedPiece& piece = backlog_->queue.front();
    const bool known = current_.length != 0 && current_.position <= piece.begin && piece.end <= current_.end();
    const std::uint64_t delta = known ? current_.delta() : piece.mapping ? piece.mapping->delta() : 0;
    const bool mapped = known || (piece.mapping && piece.mapping->position <= piece.begin && piece.end <= piece.mapping->end());
    const std::uint64_t end_dsn = piece.end + delta;
    if (!mapped || static_cast<std::int64_t>(acked - end_dsn) < 0 || static_cast<std::int64_t>(end_dsn - missing) <= 0) break;
    acknowledged(piece.end, now_ns, out, limits);
    any = true;
  }
  return any;
}

bool SubflowReceiver::skip_gap(TimeNs now_ns, TimeNs wait_ns, bool force, const Limits& limits, SubflowOutput& out) {
  if (!backlog_ || backlog_->queue.empty()) return false;
  if (!force && (!backlog_->hole_acked || now_ns - backlog_->hole_acked_ns < wait_ns)) return false;
  const std::uint64_t to = backlog_->queue.front().begin;
  if (!force && acked_ < to) {  // the hole that was acknowledged has been filled: this is another
    backlog_->hole_acked = false;
    return false;
  }
  if (to <= next_) {
    if (!force) return false;
    // A doubtful piece that was never acknowledged stands at the front: it goes.
    backlog_->queue.take_front();
    drain(limits, out);
    return true;
  }
  if (current_.length != 0 && next_ < current_.end()) held_broken_ = true;
  not_consumed(to - next_);
  next_ = to;
  backlog_->hole_acked = false;
  drain(limits, out);
  note_hole(now_ns);
  return true;
}

}  // namespace weir::reassemble
