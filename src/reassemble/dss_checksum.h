// The DSS checksum (RFC 8684 §3.3.1): ones' complement over a pseudo-header of the mapping and its data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/checksum.h"

namespace weir::reassemble {

/// Takes the mapping's data piece by piece, in order; verifies() once all of it was given. `length` is as on the wire, a DATA_FIN
/// counted.
class DssChecksum {
 public:
  DssChecksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length, std::uint16_t checksum) {
    sum_.add64(dsn);
    sum_.add32(ssn);
    sum_.add16(length);
    sum_.add16(checksum);
  }
  void add(std::span<const std::byte> data) { sum_.add(data); }
  bool verifies() const { return sum_.sum() == 0xffff; }

 private:
  wire::ChecksumSum sum_;
};

}  // namespace weir::reassemble
