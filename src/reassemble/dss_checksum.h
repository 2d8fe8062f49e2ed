// The DSS checksum (RFC 8684 §3.3.1): ones' complement over a pseudo-header of the mapping and its data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::reassemble {

/// Takes the mapping's data piece by piece, in order; verifies() once all of it was given.
class DssChecksum {
 public:
  DssChecksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length, std::uint16_t checksum);
  void add(std::span<const std::byte> data);
  bool verifies() const;

 private:
  std::uint64_t sum_ = 0;
  bool odd_ = false;  ///< an odd number of octets was given so far: the next piece is shifted by one
};

}  // namespace weir::reassemble
