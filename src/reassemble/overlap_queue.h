// Out-of-order pieces, with Linux's answer to overlaps (tcp_data_queue_ofo, mptcp_data_queue_ofo): THREATS.md, "What counts as
// delivered", rule 2.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "reassemble/piece.h"

namespace weir::reassemble {

struct QueuedPiece {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< bytes.size() may be less than end - begin only for a cut piece, which has no bytes at all
  KeptBytes bytes;
  std::uint32_t subflow = 0;
  std::optional<Mapping> mapping;  ///< subflow level: the one that its segment carries
  bool cut = false;                ///< the snap length took these bytes
  bool doubtful = false;
  TimeNs carried_ns = 0;  ///< of the packet that carried it, where that is told; 0: it is not
};

/// Purpose: what has arrived beyond the next expected position.
/// Invariant: no piece lies wholly inside another of its kind; partial overlaps remain, and the piece that starts further left
/// gives the shared bytes. A doubtful or cut piece never overlaps a plain one: the plain one takes its place.
/// Insertion costs O(log n), whatever the number of gaps.
/// Bounds are the caller's: pieces() and held_bytes() tell. One owner, one thread.
class OverlapQueue {
 public:
  struct Inserted {
    bool kept = false;      ///< false: all of it was there already
    bool conflict = false;  ///< bytes shared with another piece differ
    std::uint64_t conflict_position = 0;
    std::uint64_t new_bytes = 0;        ///< positions that no plain piece covered before
    bool contradicts_doubtful = false;  ///< a doubtful piece held other bytes for them
    std::optional<std::byte> lone;      ///< the conflict is in this octet alone, which is a piece by itself
  };
  struct Difference {
    bool found = false;
    std::uint64_t where = 0;        ///< the first
    std::optional<std::byte> lone;  ///< it is the only one, and in this octet, which is a piece by itself
  };

  Inserted insert(QueuedPiece piece);

  bool empty() const { return pieces_.empty(); }
  std::size_t pieces() const { return pieces_.size(); }
  std::uint64_t held_bytes() const { return held_bytes_; }
  /// Positions covered, each piece counted whole: what a limit on span is checked against.
  std::uint64_t queued_bytes() const { return queued_bytes_; }
  const QueuedPiece& front() const { return pieces_.begin()->second; }
  QueuedPiece take_front();
  /// Drops what one subflow gave.
  void drop_subflow(std::uint32_t subflow);
  using Pieces = std::map<std::uint64_t, QueuedPiece>;  ///< by begin
  const Pieces& all() const { return pieces_; }

  /// First difference between `bytes` at `position` and what the plain pieces hold there.
  bool differs(std::uint64_t position, std::span<const std::byte> bytes, std::uint64_t& where) const;
  /// The same, and whether a piece of one octet, given or kept, is all that differs.
  Difference difference(std::uint64_t position, std::span<const std::byte> bytes) const;
  /// Whether a doubtful piece holds other bytes there.
  bool doubtful_differs(std::uint64_t position, std::span<const std::byte> bytes) const;
  /// Whether a plain piece in [begin, end) carries a mapping that overlaps `mapping` and says otherwise.
  bool mapped_otherwise(std::uint64_t begin, std::uint64_t end, const Mapping& mapping) const;
  void forget_mappings() {
    for (auto& [begin, piece] : pieces_) piece.mapping.reset();
  }
  /// Moves the DSNs of all mappings.
  void shift_dsn(std::uint64_t shift) {
    for (auto& [begin, piece] : pieces_) {
      if (piece.mapping) piece.mapping->dsn += shift;
    }
  }
  /// Positions in [begin, end) that some piece with bytes covers (doubtful ones do not count).
  std::uint64_t covered(std::uint64_t begin, std::uint64_t end) const;

 private:
  Pieces::const_iterator first_reaching(std::uint64_t position) const;
  void put(QueuedPiece piece, Pieces::const_iterator hint);
  /// Whether every piece begins at `end` or later.
  bool beyond(std::uint64_t end) const { return pieces_.empty() || pieces_.begin()->first >= end; }
  Pieces::iterator remove(Pieces::iterator at, QueuedPiece& out);
  void yield_to(Pieces::iterator weak, std::uint64_t begin, std::uint64_t end);

  Pieces pieces_;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t queued_bytes_ = 0;
};

}  // namespace weir::reassemble
