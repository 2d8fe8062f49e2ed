#include "payload_pool.h"

namespace weir::bench {

std::uint64_t mix(std::uint64_t n) {
  n += 0x9e3779b97f4a7c15ULL;
  n = (n ^ (n >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  n = (n ^ (n >> 27U)) * 0x94d049bb133111ebULL;
  return n ^ (n >> 31U);
}

std::uint32_t sum_words(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint32_t>(sum);
}

PayloadPool::PayloadPool(std::size_t size, std::size_t pieces) : size_(size), bytes_(size * pieces) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(mix(i / 8) >> (i % 8 * 8));
  for (std::size_t i = 0; i < pieces; ++i) sums_.push_back(sum_words(std::span(bytes_).subspan(i * size, size)));
}

Payload PayloadPool::piece(std::uint64_t number) const {
  const std::size_t i = number % sums_.size();
  return {std::span(bytes_).subspan(i * size_, size_), sums_[i]};
}

}  // namespace weir::bench
