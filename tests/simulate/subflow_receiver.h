// The receiving half of one end of a subflow: octets in subflow order, each with its mapping.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace weir::simulate {

/// As an option told it. `length` without the DATA_FIN.
struct SeenMapping {
  std::uint64_t position = 0;
  std::uint64_t dsn = 0;
  std::uint32_t length = 0;
  std::uint16_t option_length = 0;  ///< with it: what the checksum is over
  std::optional<std::uint16_t> checksum;
};

struct MappedPiece {
  std::uint64_t dsn = 0;
  std::span<const std::byte> bytes;
};

/// Invariant: octets are consumed once, in order; with checksums a mapping's octets are given when it is complete and verified.
class SubflowReceiver {
 public:
  /// Takes a segment's payload; what becomes consumable is appended to `out`. False: nothing of it was new and in order.
  bool take(std::uint64_t position, std::span<const std::byte> payload, const std::optional<SeenMapping>& mapping, std::vector<MappedPiece>& out);
  void fin_at(std::uint64_t position) { fin_ = position; }
  /// Consumes the FIN once everything before it is here.
  bool take_fin();

  std::uint64_t next() const { return next_; }
  bool fin_taken() const { return fin_taken_; }
  /// One past the last octet ever allowed; only grows.
  std::uint64_t right_edge() const { return right_edge_; }
  void allow(std::uint64_t right_edge) {
    if (right_edge > right_edge_) right_edge_ = right_edge;
  }
  /// The first run that waits for what is missing before it.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> waiting() const;

 private:
  struct Waiting {
    std::span<const std::byte> bytes;
    std::optional<SeenMapping> mapping;
  };
  void consume(std::span<const std::byte> bytes, const std::optional<SeenMapping>& mapping, std::vector<MappedPiece>& out);

  std::uint64_t next_ = 1, right_edge_ = 1;
  std::optional<std::uint64_t> fin_;
  bool fin_taken_ = false;
  std::map<std::uint64_t, Waiting> waiting_;
  std::deque<SeenMapping> mappings_;
  std::vector<MappedPiece> held_;  ///< of the mapping whose checksum is not yet verified
};

}  // namespace weir::simulate
