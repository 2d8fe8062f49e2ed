// What our packets carry so that an answer proves itself: numbers that only the prober can compute, kept nowhere.
#pragma once

#include <array>
#include <cstdint>

#include "probe/verdict.h"

namespace weir::probe::raw {

/// A secret of this run.
struct Secret {
  std::uint64_t low = 0, high = 0;
};

/// The questions that a target may be asked. Each goes from a port of its own, so that a server's state for one does not answer the next.
enum class Question : std::uint8_t { kV1, kV0, kPlain, kJoin, kTracePlain, kTraceCapable };
inline constexpr std::uint8_t kQuestions = 6;

/// Source ports: 512 for each question, above those that Linux gives to its own connections (32768 to 60999).
inline constexpr std::uint16_t kFirstPort = 61'000;
inline constexpr std::uint16_t kPortsEach = 512;
inline constexpr std::uint16_t kLastPort = kFirstPort + kQuestions * kPortsEach - 1;

/// SipHash-2-4 (Aumasson, Bernstein 2012) of three words: a keyed hash that answers from outside do not reveal.
std::uint64_t keyed_hash(const Secret& secret, const std::array<std::uint64_t, 3>& words);

struct Cookie {
  std::uint16_t port = 0;  ///< ours
  std::uint32_t seq = 0;   ///< our initial sequence number
  std::uint64_t key = 0;   ///< our MPTCP key; of a JOIN: token and nonce
};
Cookie cookie_of(const Secret& secret, const Target& target, Question question);

/// The question that a source port of ours belongs to; false: none.
bool question_of(std::uint16_t port, Question& question);

}  // namespace weir::probe::raw
