// The DSS checksum (RFC 8684 §3.3), written apart from src/reassemble on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::simulate {

/// Ones' complement sum of the octets, not yet folded; to be reused while only the mapping's length changes.
std::uint64_t sum_data(std::span<const std::byte> data);

/// `length` is that of the option: a DATA_FIN counts.
std::uint16_t data_checksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length, std::uint64_t data_sum);

}  // namespace weir::simulate
