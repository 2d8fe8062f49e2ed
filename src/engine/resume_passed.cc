// What passed and was not acknowledged, saved and taken over (saved.h): so that the next process knows it for what it is, compares it with what is sent again,
// and looks at what waits together with what comes before it.
#include <algorithm>
#include <numeric>

#include "engine/saved.h"
#include "engine/state.h"

namespace weir::engine {

using reassemble::Arrival;
using reassemble::DataReceiver;
using reassemble::PassedBlock;
using reassemble::PassedBytes;

namespace {

Bytes bytes_of(std::uint64_t begin, const PassedBytes::Entry& entry) { return {entry.block.get() + entry.offset, entry.end - begin}; }

SavedPiece piece_of(std::uint64_t begin, std::uint64_t end, Bytes bytes) {
  SavedPiece piece;
  piece.begin = begin;
  piece.size = static_cast<std::uint32_t>(end - begin);
  piece.bytes = bytes;
  return piece;
}

void save_stream(const Connection& c, std::size_t d, SavedConnection& into) {
  const DataReceiver& data = c.mp->data[d];
  if (c.guard) {
    into.uncopied_until[d] = c.guard->resumed_at[d];
    into.skipped[d] = c.guard->skipped[d];
    for (const auto& [begin, entry] : c.guard->passed[d].all()) into.passed[d].push_back(piece_of(begin, entry.end, bytes_of(begin, entry)));
  }
  if (!data.waiting()) return;
  for (const auto& [begin, queued] : data.queue()->all()) {
    if (begin <= data.next()) continue;
    into.waiting[d].push_back(piece_of(begin, queued.end, {}));
    into.waiting[d].back().subflow = queued.subflow;
  }
}

void save_subflow(const Subflow& f, Side side, SavedSubflow& into) {
  const Connection& c = *f.connection;
  const auto& rx = f.rx[side];
  const std::size_t d = index(f.direction(side));
  const auto put = [&](SavedPiece piece, const std::optional<reassemble::Mapping>& mapping) {
    piece.mapping = mapping;
    if (mapping && c.guard) {
      const std::uint64_t at = c.mp->data[d].position(mapping->delta() + piece.begin);
      piece.of_stream = c.guard->passed[d].covers(at, at + piece.size);
      if (piece.of_stream) piece.bytes = {};
    }
    into.passed[side].push_back(piece);
  };
  if (f.guard) {
    into.uncopied_until[side] = f.guard->resumed_at[side];
    into.skipped[side] = f.guard->skipped[side];
    for (const auto& [begin, entry] : f.guard->passed[side].all()) {
      if (entry.end <= rx.next()) put(piece_of(begin, entry.end, bytes_of(begin, entry)), entry.mapping);
    }
  }
  if (!rx.waiting()) return;
  for (const auto& [begin, queued] : rx.queue()->all()) {
    if (begin > rx.next()) put(piece_of(begin, queued.end, queued.cut ? Bytes{} : queued.bytes.bytes()), queued.mapping);
  }
}

/// Only ranges stay, and of these those that wait.
void leave_octets(std::vector<SavedPiece>& pieces, std::uint64_t next, std::uint64_t& uncopied_until) {
  uncopied_until = std::max(uncopied_until, next);
  for (SavedPiece& piece : pieces) {
    uncopied_until = std::max(uncopied_until, piece.begin + piece.size);
    piece.bytes = {};
    piece.of_stream = false;
  }
  std::erase_if(pieces, [&](const SavedPiece& piece) { return piece.begin <= next; });
}

void leave_octets(SavedConnection& c) {
  for (std::size_t d = 0; d < 2; ++d) {
    leave_octets(c.passed[d], c.next[d], c.uncopied_until[d]);
    c.passed[d].clear();
    for (SavedSubflow& f : c.subflows) leave_octets(f.passed[d], f.next[d], f.uncopied_until[d]);
  }
}

}  // namespace

void leave_pieces(SavedConnection& c) {
  leave_octets(c);
  for (std::size_t d = 0; d < 2; ++d) {
    c.waiting[d].clear();
    for (SavedSubflow& f : c.subflows) f.passed[d].clear();
  }
}

void Engine::State::save_passed(const Connection& c, std::span<const Subflow* const> subflows, SavedConnection& into) {
  // Of DSNs known by half only nothing can be placed.
  if (c.mp->data[0].narrow() || c.mp->data[1].narrow()) return leave_pieces(into);
  for (std::size_t d = 0; d < 2; ++d) {
    save_stream(c, d, into);
    for (SavedPiece& piece : into.waiting[d]) {
      const auto at = std::ranges::find(subflows, piece.subflow, &Subflow::id);
      piece.subflow = at == subflows.end() ? 0 : static_cast<std::uint32_t>(at - subflows.begin());
    }
    for (std::size_t i = 0; i < subflows.size(); ++i) save_subflow(*subflows[i], static_cast<Side>(d), into.subflows[i]);
  }
}

/// Small ones first, as most connections then keep theirs: octets up to the limit, of others the ranges that wait, up to the limit once more.
void Engine::State::bound_saved(std::vector<SavedConnection>& all) {
  std::vector<std::pair<std::uint64_t, SavedConnection*>> by_size;
  by_size.reserve(all.size());
  for (SavedConnection& c : all) by_size.emplace_back(octets_of(c), &c);
  const auto most = static_cast<std::uint64_t>(limits.saved_copies_bytes);
  if (std::accumulate(by_size.begin(), by_size.end(), std::uint64_t{0}, [](std::uint64_t sum, const auto& one) { return sum + one.first; }) <= most) return;
  std::ranges::sort(by_size);
  std::uint64_t copies = 0, ranges = 0;
  for (const auto& [size, c] : by_size) {
    copies += size;
    if (copies <= most) continue;
    ++counters.limited_saved_copies;
    leave_octets(*c);
    ranges += octets_of(*c);
    if (ranges > most) leave_pieces(*c);
  }
}

/// A copy of what passed before; none: there is no room for it.
bool Engine::State::resume_copy(PassedBytes& kept, const SavedPiece& piece, const PassedBlock& block) {
  const bool full = kept.held_bytes() + piece.size > static_cast<std::uint64_t>(limits.inline_copies_bytes) ||
                    kept.entries() >= static_cast<std::size_t>(limits.reorder_pieces) ||
                    std::cmp_greater(held_memory + passed_memory + piece.size, limits.memory_bytes);
  if (!block || full) return false;
  const std::uint64_t before = kept.memory_bytes();
  kept.add(piece.begin, piece.size, block, piece.mapping);
  passed_memory += kept.memory_bytes() - before;
  return true;
}

void Engine::State::resume_stream(Connection& c, const SavedConnection& s, std::size_t d) {
  DataReceiver& data = c.mp->data[d];
  ConnectionGuard& g = guard(c);
  g.skipped[d] = s.skipped[d];
  g.resumed_at[d] = s.started[d] ? s.uncopied_until[d] : 0;
  if (!s.started[d]) return;
  for (const SavedPiece& piece : s.passed[d]) {
    const std::uint64_t end = piece.begin + piece.size;
    if (data.has_ack() && end <= data.acked()) continue;
    if (!resume_copy(g.passed[d], piece, piece.bytes.empty() ? nullptr : reassemble::make_block(piece.bytes))) g.resumed_at[d] = std::max(g.resumed_at[d], end);
  }
  for (const SavedPiece& piece : s.waiting[d]) {
    if (piece.begin <= data.next()) continue;
    const PassedBlock block = g.passed[d].block_of(piece.begin, piece.begin + piece.size);
    Arrival in;
    in.position = piece.begin;
    in.size = piece.size;
    if (block) in.bytes = {block.get(), piece.size};
    in.subflow = piece.subflow;
    in.time_ns = now_ns;
    data_output.clear();
    data.arrive(in, limits, data_output);
  }
  data_output.clear();
}

void Engine::State::resume_passed(Subflow& f, Side side, const SavedSubflow& s) {
  auto& rx = f.rx[side];
  SubflowGuard& g = guard(f);
  g.skipped[side] = s.skipped[side];
  g.resumed_at[side] = s.uncopied_until[side];
  const std::size_t d = index(f.direction(side));
  const DataReceiver& data = f.connection->mp->data[d];
  for (const SavedPiece& piece : s.passed[side]) {
    const std::uint64_t end = piece.begin + piece.size;
    const bool waits = piece.begin > rx.next();
    PassedBlock block;
    if (piece.of_stream && piece.mapping && data.has_origin()) {
      const std::uint64_t at = data.position(piece.mapping->delta() + piece.begin);
      block = guard(*f.connection).passed[d].block_of(at, at + piece.size);
    } else if (!piece.bytes.empty()) {
      block = reassemble::make_block(piece.bytes);
    }
    // What has no copy in order or waiting, or stands with a part in each, is not compared with what comes.
    const bool copied = (waits || end <= rx.next()) && (end <= rx.acked() || resume_copy(g.passed[side], piece, block));
    if (!copied) g.resumed_at[side] = std::max(g.resumed_at[side], end);
    if (!waits) continue;
    Arrival in;
    in.position = piece.begin;
    in.size = piece.size;
    if (block && copied) in.bytes = {block.get(), piece.size};
    in.subflow = f.id;
    in.time_ns = now_ns;
    subflow_output.clear();
    rx.arrive(in, piece.mapping ? &*piece.mapping : nullptr, limits, subflow_output);
  }
  subflow_output.clear();
}

}  // namespace weir::engine
