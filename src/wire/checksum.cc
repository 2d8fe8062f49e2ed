#include "wire/checksum.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir::wire {
namespace {

// The sum is kept in native order and swapped once at the end (RFC 1071 §2 B), in 64 bits and folded last (§2 C).
// 32-bit words can be added 2^32 times before 64 bits overflow: more than any range handed in here.

template <class T>
T load(Bytes bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}

std::uint64_t halves(std::uint64_t word) { return (word & 0xffffffffU) + (word >> 32U); }

std::uint64_t sum_words(Bytes bytes) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::size_t at = 0;
  for (; at + 16 <= bytes.size(); at += 16) {
    a += halves(load<std::uint64_t>(bytes, at));
    b += halves(load<std::uint64_t>(bytes, at + 8));
  }
  a += b;
  if (bytes.size() & 8U) {
    a += halves(load<std::uint64_t>(bytes, at));
    at += 8;
  }
  if (bytes.size() & 4U) {
    a += load<std::uint32_t>(bytes, at);
    at += 4;
  }
  if (bytes.size() & 2U) {
    a += load<std::uint16_t>(bytes, at);
    at += 2;
  }
  if (bytes.size() & 1U) {
    std::uint16_t last = 0;
    std::memcpy(&last, bytes.subspan(at).data(), 1);
    a += last;
  }
  return a;
}

std::uint16_t fold(std::uint64_t sum) {
  sum = halves(sum);
  sum = (sum & 0xffffU) + (sum >> 16U & 0xffffU) + (sum >> 32U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

#if defined(__x86_64__)
constexpr std::size_t kVectorStep = 128;

// For each 64-bit lane, H is the sum of the high halves and W that of the whole words modulo 2^64. As the sum L of the low
// halves stays below 2^64, L = W - (H << 32): two additions and a shift a vector, and no masking.
__attribute__((target("avx2"))) std::uint64_t sum_words_avx2(Bytes bytes) {
  __m256i whole_a = _mm256_setzero_si256();
  __m256i whole_b = whole_a;
  __m256i high_a = whole_a;
  __m256i high_b = whole_a;
  std::size_t at = 0;
  for (; at + kVectorStep <= bytes.size(); at += kVectorStep) {
    const auto* step = reinterpret_cast<const __m256i_u*>(bytes.subspan(at, kVectorStep).data());
    const __m256i v0 = _mm256_loadu_si256(step);
    const __m256i v1 = _mm256_loadu_si256(&step[1]);
    const __m256i v2 = _mm256_loadu_si256(&step[2]);
    const __m256i v3 = _mm256_loadu_si256(&step[3]);
    whole_a = _mm256_add_epi64(whole_a, _mm256_add_epi64(v0, v1));
    whole_b = _mm256_add_epi64(whole_b, _mm256_add_epi64(v2, v3));
    high_a = _mm256_add_epi64(high_a, _mm256_add_epi64(_mm256_srli_epi64(v0, 32), _mm256_srli_epi64(v1, 32)));
    high_b = _mm256_add_epi64(high_b, _mm256_add_epi64(_mm256_srli_epi64(v2, 32), _mm256_srli_epi64(v3, 32)));
  }
  const __m256i high = _mm256_add_epi64(high_a, high_b);
  const __m256i low = _mm256_sub_epi64(_mm256_add_epi64(whole_a, whole_b), _mm256_slli_epi64(high, 32));
  alignas(32) std::uint64_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), low);
  _mm256_store_si256(reinterpret_cast<__m256i*>(&lanes[4]), high);
  std::uint64_t sum = 0;
  for (const std::uint64_t lane : lanes) sum += lane;
  return sum + sum_words(bytes.subspan(at));
}

using SumWords = std::uint64_t (*)(Bytes);
SumWords fastest_sum() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") ? sum_words_avx2 : sum_words;
}
// Which of the two this machine runs: found once, before main().
const SumWords long_sum = fastest_sum();
#endif

}  // namespace

std::uint16_t ones_complement_sum(Bytes bytes) {
#if defined(__x86_64__)
  if (bytes.size() >= kVectorStep) return to_big_endian(fold(long_sum(bytes)));
#endif
  return to_big_endian(fold(sum_words(bytes)));
}

std::uint16_t ipv4_header_checksum(Bytes header) {
  ByteReader reader(header);
  ChecksumSum sum;
  sum.add(reader.take(10));
  reader.skip(2);
  sum.add(reader.rest());
  return sum.checksum();
}

std::uint16_t pseudo_header_sum(const IpAddress& src, const IpAddress& dst, std::uint8_t protocol, std::uint32_t length) {
  // The mapped form of IPv4 adds one word of 0xffff, which is a zero in ones' complement: all 16 octets, whatever the family.
  std::uint64_t sum = std::uint64_t{protocol} + length;
  for (const auto* address : {&src, &dst}) {
    const Fixed<16> octets = std::as_bytes(std::span(address->octets));
    sum += halves(u64_at<0>(octets)) + halves(u64_at<8>(octets));
  }
  return fold(sum);
}

}  // namespace weir::wire
