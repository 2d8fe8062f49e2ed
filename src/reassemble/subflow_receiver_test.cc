#include "reassemble/subflow_receiver.h"

#include <gtest/gtest.h>

#include <string>

#include "reassemble/dss_checksum.h"

namespace weir::reassemble {
namespace {

class Receiver : public ::testing::Test {
 protected:
  /// Gives a segment and appends what comes out to `text`: mapped bytes as they are, unmapped ones in upper case... as `kind`.
  void segment(std::uint64_t position, const std::string& bytes, const Mapping* mapping = nullptr, bool doubtful = false) {
    Arrival in;
    in.position = position;
    in.bytes = std::as_bytes(std::span(bytes));
    in.size = static_cast<std::uint32_t>(bytes.size());
    in.doubtful = doubtful;
    out.clear();
    rx.arrive(in, mapping, limits, out);
    take();
  }
  void acknowledge(std::uint64_t position) {
    out.clear();
    rx.acknowledged(position, 0, out, limits);
    take();
  }
  void take() {
    for (const Consumed& c : out.consumed) {
      for (const std::byte b : c.bytes)
        (c.kind == Consumed::Kind::kMapped ? mapped : c.kind == Consumed::Kind::kUnmapped ? unmapped : bad) += static_cast<char>(b);
      if (c.kind == Consumed::Kind::kMapped) next_dsn = c.dsn + c.size;
    }
  }
  static Mapping map(std::uint64_t position, std::uint64_t dsn, std::uint32_t length) {
    return {.position = position,
            .dsn = dsn,
            .length = length,
            .ssn = static_cast<std::uint32_t>(position),
            .wire_length = static_cast<std::uint16_t>(length),
            .checksum = {}};
  }
  Limits limits;
  SubflowOutput out;
  SubflowReceiver rx;
  std::string mapped, unmapped, bad;
  std::uint64_t next_dsn = 0;
};

TEST_F(Receiver, AMappingCoversTheSegmentsAfterIt) {
  const Mapping m = map(1, 1000, 6);
  segment(1, "abc", &m);
  segment(4, "def");
  EXPECT_EQ(mapped, "abcdef");
  EXPECT_EQ(next_dsn, 1006U);
}

TEST_F(Receiver, BytesBeyondTheMappingAreUnmapped) {
  const Mapping m = map(1, 1000, 3);
  segment(1, "abcXY", &m);
  EXPECT_EQ(mapped, "abc");
  EXPECT_EQ(unmapped, "XY");
}

TEST_F(Receiver, ALaterMappingDoesNotReachBack) {
  segment(1, "abc");
  const Mapping m = map(1, 1000, 6);
  segment(4, "def", &m);
  EXPECT_EQ(unmapped, "abc");
  EXPECT_EQ(mapped, "def");
}

TEST_F(Receiver, AnotherMappingForMappedBytesIsRefused) {
  const Mapping first = map(1, 1000, 6);
  segment(1, "abc", &first);
  const Mapping second = map(4, 5000, 3);
  segment(4, "def", &second);
  EXPECT_TRUE(out.mapping_conflict);
  EXPECT_EQ(mapped, "abcdef");
  EXPECT_EQ(next_dsn, 1006U);
}

TEST_F(Receiver, ARetransmissionWithAnotherMappingIsAConflictUntilAcknowledged) {
  const Mapping first = map(1, 1000, 3);
  segment(1, "abc", &first);
  const Mapping second = map(1, 5000, 3);
  segment(1, "abc", &second);
  EXPECT_TRUE(out.mapping_conflict);
  acknowledge(4);
  segment(1, "abc", &second);
  EXPECT_FALSE(out.mapping_conflict);
}

TEST_F(Receiver, TheFirstCopyInOrderCounts) {
  const Mapping m = map(1, 1000, 6);
  segment(1, "abcdef", &m);
  segment(1, "ABCDEF", &m);
  EXPECT_TRUE(out.segment_conflict);
  EXPECT_EQ(mapped, "abcdef");
}

TEST_F(Receiver, InOrderBytesWinOverQueuedOnes) {
  const Mapping m = map(1, 1000, 9);
  segment(7, "xyz", &m);
  segment(4, "QQQ", &m);
  segment(1, "abcdef", &m);
  EXPECT_TRUE(out.segment_conflict);
  EXPECT_EQ(mapped, "abcdefxyz");
}

TEST_F(Receiver, AfterTheAcknowledgementNothingIsCompared) {
  const Mapping m = map(1, 1000, 3);
  segment(1, "abc", &m);
  acknowledge(4);
  segment(1, "XYZ", &m);
  EXPECT_FALSE(out.segment_conflict);
}

TEST_F(Receiver, DoubtfulBytesWaitForTheAcknowledgement) {
  const Mapping m = map(1, 1000, 3);
  segment(1, "abc", &m, true);
  EXPECT_EQ(mapped, "");
  acknowledge(4);
  EXPECT_EQ(mapped, "abc");
}

TEST_F(Receiver, ATrueCopyTakesThePlaceOfADoubtfulOneInSilence) {
  const Mapping m = map(1, 1000, 3);
  segment(1, "XYZ", &m, true);
  segment(1, "abc", &m);
  EXPECT_EQ(mapped, "abc");
  EXPECT_FALSE(out.segment_conflict);
}

TEST_F(Receiver, AGapIsPassedOverOnlyOnceItWasAcknowledgedAndWaitedFor) {
  const Mapping m = map(4, 1003, 3);
  segment(4, "def", &m);
  EXPECT_FALSE(rx.skip_gap(10, 5, false, limits, out));
  acknowledge(7);
  out.clear();
  EXPECT_FALSE(rx.skip_gap(4, 5, false, limits, out));
  EXPECT_TRUE(rx.skip_gap(5, 5, false, limits, out));
  take();
  EXPECT_EQ(mapped, "def");
}

TEST_F(Receiver, NothingOfAMappingIsGivenBeforeItsChecksumVerifies) {
  rx.use_checksums(true);
  const std::string data = "abcdefg";
  DssChecksum sum(1000, 1, 7, 0);
  sum.add(std::as_bytes(std::span(data)));
  // The field makes the sum all ones: found by trying, as a receiver would see it.
  Mapping m = map(1, 1000, 7);
  for (unsigned field = 0; field <= 0xffff; ++field) {
    DssChecksum trial(1000, 1, 7, static_cast<std::uint16_t>(field));
    trial.add(std::as_bytes(std::span(data)));
    if (trial.verifies()) m.checksum = static_cast<std::uint16_t>(field);
  }
  ASSERT_TRUE(m.checksum);
  segment(1, "abc", &m);
  EXPECT_EQ(mapped, "");
  segment(4, "defg");
  EXPECT_EQ(mapped, "abcdefg");
  EXPECT_FALSE(out.checksum_failed);
}

TEST_F(Receiver, AWrongChecksumIsTold) {
  rx.use_checksums(true);
  Mapping m = map(1, 1000, 4);
  m.checksum = 0x1234;
  segment(1, "ab", &m);
  segment(3, "cd");
  EXPECT_TRUE(out.checksum_failed);
  EXPECT_EQ(mapped, "");
  EXPECT_EQ(bad, "abcd");
}

TEST_F(Receiver, FallenBackBytesFollowEachOther) {
  const Mapping m = map(1, 1000, 3);
  segment(1, "abc", &m);
  rx.fall_back(4, 1003);
  segment(4, "defgh");
  EXPECT_EQ(mapped, "abcdefgh");
  EXPECT_EQ(next_dsn, 1008U);
}

}  // namespace
}  // namespace weir::reassemble
