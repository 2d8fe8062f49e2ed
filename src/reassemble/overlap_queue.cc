#include "reassemble/overlap_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::reassemble {

namespace {

/// Compares the bytes that both have; sets `where` to the first that differs.
bool bytes_differ(std::uint64_t a_at, std::span<const std::byte> a, std::uint64_t b_at, std::span<const std::byte> b, std::uint64_t& where) {
  const std::uint64_t from = std::max(a_at, b_at);
  const std::uint64_t to = std::min(a_at + a.size(), b_at + b.size());
  if (from >= to) return false;
  const auto left = a.subspan(from - a_at, to - from);
  const auto right = b.subspan(from - b_at, to - from);
  if (std::memcmp(left.data(), right.data(), left.size()) == 0) return false;
  where = from + static_cast<std::uint64_t>(std::ranges::mismatch(left, right).in1 - left.begin());
  return true;
}

bool is_weak(const QueuedPiece& piece) { return piece.doubtful || piece.cut; }

/// The part [begin, end) of a piece, with bytes of its own if the piece has.
QueuedPiece part_of(const QueuedPiece& piece, std::uint64_t begin, std::uint64_t end) {
  QueuedPiece part{.begin = begin,
                   .end = end,
                   .bytes = {},
                   .subflow = piece.subflow,
                   .mapping = piece.mapping,
                   .cut = piece.cut,
                   .doubtful = piece.doubtful,
                   .carried_ns = piece.carried_ns};
  if (!piece.cut) part.bytes = KeptBytes(piece.bytes.bytes().subspan(begin - piece.begin, end - begin), piece.bytes.stays());
  return part;
}

}  // namespace

void OverlapQueue::put(QueuedPiece piece, Pieces::const_iterator hint) {
  held_bytes_ += piece.bytes.held_bytes();
  queued_bytes_ += piece.end - piece.begin;
  const std::uint64_t begin = piece.begin;
  pieces_.emplace_hint(hint, begin, std::move(piece));
}

OverlapQueue::Pieces::iterator OverlapQueue::remove(Pieces::iterator at, QueuedPiece& out) {
  out = std::move(at->second);
  held_bytes_ -= out.bytes.held_bytes();
  queued_bytes_ -= out.end - out.begin;
  return pieces_.erase(at);
}

// Partial overlaps leave ends that ascend with the begins, so one step back at a time finds the first that reaches.
OverlapQueue::Pieces::const_iterator OverlapQueue::first_reaching(std::uint64_t position) const {
  auto it = pieces_.lower_bound(position);
  while (it != pieces_.begin() && std::prev(it)->second.end > position) --it;
  return it;
}

/// Cuts [begin, end) out of a weak piece.
void OverlapQueue::yield_to(Pieces::iterator weak, std::uint64_t begin, std::uint64_t end) {
  QueuedPiece old;
  remove(weak, old);
  if (old.begin < begin) put(part_of(old, old.begin, begin), pieces_.end());
  if (old.end > end) put(part_of(old, end, old.end), pieces_.end());
}

OverlapQueue::Inserted OverlapQueue::insert(QueuedPiece piece) {
  Inserted result;
  // Most pieces touch no other: one search tells, and where they belong.
  const auto right = pieces_.empty() || piece.begin >= pieces_.rbegin()->second.begin ? pieces_.end() : pieces_.lower_bound(piece.begin);
  const bool clear_left = right == pieces_.begin() || std::prev(right)->second.end <= piece.begin;
  const bool clear_right = right == pieces_.end() || right->second.begin >= piece.end;
  if (clear_left && clear_right) {
    result.kept = true;
    result.new_bytes = piece.end - piece.begin;
    put(std::move(piece), right);
    return result;
  }
  result.new_bytes = (piece.end - piece.begin) - covered(piece.begin, piece.end);
  if (!is_weak(piece)) {
    const Difference found = difference(piece.begin, piece.bytes.bytes());
    result.conflict = found.found;
    result.conflict_position = found.where;
    result.lone = found.lone;
  }

  for (;;) {
    // The pieces that still stand in the way, looked at from the left; each turn removes, skips or shortens.
    const auto reaching = first_reaching(piece.begin);
    auto it = pieces_.erase(reaching, reaching);  // an iterator from a const one
    bool again = false;
    for (; it != pieces_.end() && it->second.begin < piece.end; ++it) {
      const QueuedPiece& other = it->second;
      if (is_weak(other) && !is_weak(piece)) {
        std::uint64_t where = 0;
        result.contradicts_doubtful |= other.doubtful && bytes_differ(other.begin, other.bytes.bytes(), piece.begin, piece.bytes.bytes(), where);
        yield_to(it, piece.begin, piece.end);
        again = true;
        break;
      }
      if (!is_weak(other) && is_weak(piece)) {
        // A weak copy never covers a plain one: what lies left of it is kept, what lies right of it is looked at anew.
        if (piece.begin < other.begin) {
          put(part_of(piece, piece.begin, other.begin), pieces_.end());
          result.kept = true;
        }
        if (other.end >= piece.end) return result;
        piece = part_of(piece, other.end, piece.end);
        again = true;
        break;
      }
      if (piece.begin >= other.begin && piece.end <= other.end) return result;  // wholly inside a kept one, or the very same again: dropped
      if (piece.begin <= other.begin && piece.end >= other.end) {               // a kept one that the new one covers is removed
        QueuedPiece covered_one;
        remove(it, covered_one);
        again = true;
        break;
      }
      // Of two that overlap in part both stay.
    }
    if (!again) break;
  }
  put(std::move(piece), pieces_.end());
  result.kept = true;
  return result;
}

QueuedPiece OverlapQueue::take_front() {
  QueuedPiece piece;
  remove(pieces_.begin(), piece);
  return piece;
}

void OverlapQueue::drop_subflow(std::uint32_t subflow) {
  for (auto it = pieces_.begin(); it != pieces_.end();) {
    QueuedPiece dropped;
    it = it->second.subflow == subflow ? remove(it, dropped) : std::next(it);
  }
}

bool OverlapQueue::differs(std::uint64_t position, std::span<const std::byte> bytes, std::uint64_t& where) const {
  const std::uint64_t end = position + bytes.size();
  if (beyond(end)) return false;
  for (auto it = first_reaching(position); it != pieces_.end() && it->second.begin < end; ++it) {
    const QueuedPiece& piece = it->second;
    if (!is_weak(piece) && bytes_differ(piece.begin, piece.bytes.bytes(), position, bytes, where)) return true;
  }
  return false;
}

OverlapQueue::Difference OverlapQueue::difference(std::uint64_t position, std::span<const std::byte> bytes) const {
  Difference found;
  found.found = differs(position, bytes, found.where);
  if (!found.found) return found;
  std::optional<std::byte> lone;
  if (bytes.size() == 1) {
    lone = bytes[0];
  } else if (const auto kept = pieces_.find(found.where); kept != pieces_.end() && kept->second.bytes.bytes().size() == 1) {
    lone = kept->second.bytes.bytes()[0];
  }
  std::uint64_t another = 0;
  if (lone && !differs(found.where + 1, bytes.subspan(found.where + 1 - position), another)) found.lone = lone;
  return found;
}

bool OverlapQueue::doubtful_differs(std::uint64_t position, std::span<const std::byte> bytes) const {
  const std::uint64_t end = position + bytes.size();
  if (beyond(end)) return false;
  std::uint64_t where = 0;
  for (auto it = first_reaching(position); it != pieces_.end() && it->second.begin < end; ++it) {
    if (it->second.doubtful && bytes_differ(it->second.begin, it->second.bytes.bytes(), position, bytes, where)) return true;
  }
  return false;
}

bool OverlapQueue::mapped_otherwise(std::uint64_t begin, std::uint64_t end, const Mapping& mapping) const {
  if (beyond(end)) return false;
  for (auto it = first_reaching(begin); it != pieces_.end() && it->second.begin < end; ++it) {
    const auto& other = it->second.mapping;
    if (!it->second.doubtful && other && other->position < mapping.end() && mapping.position < other->end() && other->delta() != mapping.delta()) return true;
  }
  return false;
}

std::uint64_t OverlapQueue::covered(std::uint64_t begin, std::uint64_t end) const {
  if (beyond(end)) return 0;
  std::uint64_t sum = 0;
  std::uint64_t reached = begin;
  for (auto it = first_reaching(begin); it != pieces_.end() && it->second.begin < end; ++it) {
    if (is_weak(it->second)) continue;
    const std::uint64_t from = std::max(reached, it->second.begin);
    const std::uint64_t to = std::min(end, it->second.end);
    if (to > from) {
      sum += to - from;
      reached = to;
    }
  }
  return sum;
}

}  // namespace weir::reassemble
