#include "reassemble/dss_checksum.h"

namespace weir::reassemble {

namespace {
std::uint64_t words(std::uint64_t value) { return (value >> 48U) + ((value >> 32U) & 0xffffU) + ((value >> 16U) & 0xffffU) + (value & 0xffffU); }
}  // namespace

DssChecksum::DssChecksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length, std::uint16_t checksum) : sum_(words(dsn) + words(ssn) + length + checksum) {}

void DssChecksum::add(std::span<const std::byte> data) {
  std::size_t i = 0;
  if (odd_ && !data.empty()) {
    sum_ += std::to_integer<std::uint64_t>(data[0]);
    i = 1;
  }
  for (; i + 1 < data.size(); i += 2) sum_ += (std::to_integer<std::uint64_t>(data[i]) << 8U) | std::to_integer<std::uint64_t>(data[i + 1]);
  if (i < data.size()) sum_ += std::to_integer<std::uint64_t>(data[i]) << 8U;
  odd_ = odd_ != ((data.size() & 1U) != 0);
}

bool DssChecksum::verifies() const {
  std::uint64_t sum = sum_;
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum == 0xffff;
}

}  // namespace weir::reassemble
