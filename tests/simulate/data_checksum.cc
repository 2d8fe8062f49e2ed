#include "data_checksum.h"

namespace weir::simulate {

std::uint64_t sum_data(std::span<const std::byte> data) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) sum += std::to_integer<std::uint64_t>(data[i]) << (i % 2 == 0 ? 8U : 0U);
  return sum;
}

std::uint16_t data_checksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length, std::uint64_t data_sum) {
  std::uint64_t sum = data_sum + length + (ssn >> 16U) + (ssn & 0xffffU);
  for (int i = 0; i < 4; ++i, dsn >>= 16U) sum += dsn & 0xffffU;
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace weir::simulate
