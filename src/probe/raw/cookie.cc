#include "probe/raw/cookie.h"

#include <bit>
#include <cstring>

namespace weir::probe::raw {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t keyed_hash(const Secret& secret, const std::array<std::uint64_t, 3>& words) {
  SipState s{.v0 = secret.low ^ 0x736f6d6570736575ULL,
             .v1 = secret.high ^ 0x646f72616e646f6dULL,
             .v2 = secret.low ^ 0x6c7967656e657261ULL,
             .v3 = secret.high ^ 0x7465646279746573ULL};
  for (const std::uint64_t word : words) s.take(word);
  s.take(std::uint64_t{words.size() * sizeof(std::uint64_t)} << 56U);
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

Cookie cookie_of(const Secret& secret, const Target& target, Question question) {
  std::array<std::uint64_t, 3> words{};
  std::memcpy(words.data(), target.address.octets.data(), target.address.octets.size());
  words[2] = static_cast<std::uint64_t>(target.port) << 8U | static_cast<std::uint64_t>(question);
  const std::uint64_t hash = keyed_hash(secret, words);
  // The key comes from a hash of its own: the sequence number travels in the clear.
  words[2] |= std::uint64_t{1} << 32U;
  Cookie cookie;
  cookie.seq = static_cast<std::uint32_t>(hash);
  cookie.port = static_cast<std::uint16_t>(kFirstPort + static_cast<unsigned>(question) * kPortsEach + (hash >> 32U) % kPortsEach);
  cookie.key = keyed_hash(secret, words);
  return cookie;
}

bool question_of(std::uint16_t port, Question& question) {
  if (port < kFirstPort || port > kLastPort) return false;
  question = static_cast<Question>((port - kFirstPort) / kPortsEach);
  return true;
}

}  // namespace weir::probe::raw
