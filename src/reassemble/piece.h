// A piece of a byte stream on its way through the two levels of reassembly.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/raw_packet.h"
#include "reassemble/kept_bytes.h"

namespace weir::reassemble {

/// A data sequence mapping (RFC 8684 §3.3.1) in this program's coordinates: positions in the subflow's byte stream and DSNs.
/// `length` counts data only (not a DATA_FIN).
struct Mapping {
  std::uint64_t position = 0;
  std::uint64_t dsn = 0;
  std::uint32_t length = 0;
  std::uint32_t ssn = 0;          ///< as on the wire, for the checksum
  std::uint16_t wire_length = 0;  ///< as on the wire, for the checksum
  std::optional<std::uint16_t> checksum;

  std::uint64_t end() const { return position + length; }
  /// What maps a position to a DSN; two mappings agree where they overlap exactly if this is the same.
  std::uint64_t delta() const { return dsn - position; }
};

/// Bytes as they come in, at either level. `size` may exceed bytes.size(): the rest was cut by the snap length and is a hole
/// whose extent is known.
struct Arrival {
  std::uint64_t position = 0;
  std::span<const std::byte> bytes;
  std::uint32_t size = 0;
  std::uint32_t subflow = 0;
  bool stays = false;     ///< see KeptBytes
  bool doubtful = false;  ///< a receiver may well have thrown it away: it is used only once the receiver acknowledges it
  TimeNs time_ns = 0;
  TimeNs carried_ns = 0;  ///< of the packet, if it is handed on later; 0: time_ns
};

}  // namespace weir::reassemble
