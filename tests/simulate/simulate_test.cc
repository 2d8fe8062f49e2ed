// The simulator itself, and the engine on what it gives. More seeds: `simulate --seeds 1-10000`.
#include <gtest/gtest.h>

#include "engine_check.h"
#include "reference.h"
#include "secrets.h"

namespace weir::simulate {
namespace {

constexpr std::uint64_t kSeeds = 300, kSeedsATest = 25;

TEST(Secrets, AreThoseOfTheVectors) {
  // WIRE.md's keys and nonces, in the order of RFC 8684 §3.2.
  constexpr std::uint64_t kKeyA = 0x0102030405060708, kKeyB = 0xa1b2c3d4e5f60718;
  EXPECT_EQ(derive(1, kKeyA).token, 0x66840ddaU);
  EXPECT_EQ(derive(1, kKeyA).idsn, 0xf5a101d3d29d6f72U);
  EXPECT_EQ(derive(0, kKeyB).token, 0xfaaf6fe3U);
  EXPECT_EQ(derive(0, kKeyB).idsn, 0xbfb51134cb95240bU);
  EXPECT_EQ(sign_join(1, kKeyB, kKeyA, 0x55667788, 0x11223344).front(), std::byte{0x2d});
  EXPECT_EQ(sign_join(1, kKeyA, kKeyB, 0x11223344, 0x55667788).back(), std::byte{0x65});
  EXPECT_EQ(sign_join(0, kKeyA, kKeyB, 0x11223344, 0x55667788).front(), std::byte{0xad});
}

class Seeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, CaptureHoldsTheStreams) {
  for (std::uint64_t seed = GetParam(); seed < GetParam() + kSeedsATest; ++seed) {
    const Simulated simulated = simulate(seed);
    const Reference reference = read_naively(simulated);
    SCOPED_TRACE(describe(simulated.scenario));
    ASSERT_TRUE(reference.faults.empty()) << reference.faults.front();
    ASSERT_EQ(reference.missing[0] + reference.missing[1], 0U);
    ASSERT_TRUE(reference.streams == simulated.truth.streams);
  }
}

TEST_P(Seeds, EngineRebuildsTheConnection) {
  for (std::uint64_t seed = GetParam(); seed < GetParam() + kSeedsATest; ++seed) {
    const Simulated simulated = simulate(seed);
    for (const std::string& wrong : check_engine(simulated))
      ADD_FAILURE() << wrong << "\n" << describe(simulated.scenario) << "\nreplay: simulate --seeds " << seed;
  }
}

// Seeds that found something once, and so what they found: a line each.
constexpr std::uint64_t kFound[] = {
    197,  771,  1997, 2803, 3864, 7643, 8566,       // DSNs of which only the lower half was known, told in full later
    755,                                            // two handshakes that were one: the half that had given data was let go
    1212, 2580, 5408, 9287,                         // a JOIN whose end was seen before its handshake
    2004, 9497, 9743,                               // JOINs of both sides before the keys: which side is the client
    2076,                                           // a first flight by the window of the SYN, larger than the scaled one after it
    2920, 5605, 5882, 8743,                         // a RST at one point, seen before data at another that were sent before it
    468,  4164, 8062,                               // JOINs put together by DSN and then by token
    6486,                                           // checksums agreed on in mid-mapping
    6671, 7269, 7435, 8814, 4967,                   // merged and damaged segments where no SYN told the MSS
    91,   201,  619,  947,  2034, 2492, 6081, 9612  // like packets with other options: nothing was stripped
};

TEST(Simulation, FoundBefore) {
  for (const std::uint64_t seed : kFound) {
    const Simulated simulated = simulate(seed);
    for (const std::string& wrong : check_engine(simulated))
      ADD_FAILURE() << wrong << "\n" << describe(simulated.scenario) << "\nreplay: simulate --seeds " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Simulated, Seeds, testing::Range<std::uint64_t>(1, kSeeds + 1, kSeedsATest));

}  // namespace
}  // namespace weir::simulate
