#include "reassemble/overlap_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::reassemble {
namespace {

QueuedPiece piece(std::uint64_t begin, const std::string& text, bool doubtful = false) {
  return {.begin = begin,
          .end = begin + text.size(),
          .bytes = KeptBytes(std::as_bytes(std::span(text)), false),
          .subflow = 0,
          .mapping = {},
          .cut = false,
          .doubtful = doubtful};
}

/// What a receiver reads from `next` on: pieces in order of their begin, each from where the one before ended.
std::string drained(OverlapQueue queue, std::uint64_t next) {
  std::string text;
  while (!queue.empty()) {
    QueuedPiece p = queue.take_front();
    if (p.end <= next) continue;
    for (; next < p.begin; ++next) text += '.';
    for (const std::byte b : p.bytes.bytes().subspan(next - p.begin)) text += static_cast<char>(b);
    next = p.end;
  }
  return text;
}

// Linux's tcp_data_queue_ofo, case by case (THREATS.md, "What counts as delivered", rule 2).
TEST(OverlapQueue, WhollyInsideAKeptOneIsDropped) {
  OverlapQueue q;
  q.insert(piece(10, "abcdef"));
  const auto result = q.insert(piece(12, "XY"));
  EXPECT_FALSE(result.kept);
  EXPECT_TRUE(result.conflict);
  EXPECT_EQ(result.conflict_position, 12U);
  EXPECT_EQ(drained(std::move(q), 10), "abcdef");
}

TEST(OverlapQueue, TheSameRangeAgainIsDropped) {
  OverlapQueue q;
  q.insert(piece(10, "abc"));
  EXPECT_FALSE(q.insert(piece(10, "XYZ")).kept);
  EXPECT_FALSE(q.insert(piece(10, "abc")).conflict);
  EXPECT_EQ(drained(std::move(q), 10), "abc");
}

TEST(OverlapQueue, ALongerOneFromTheSameStartReplaces) {
  OverlapQueue q;
  q.insert(piece(10, "abc"));
  EXPECT_TRUE(q.insert(piece(10, "XYZW")).kept);
  EXPECT_EQ(drained(std::move(q), 10), "XYZW");
}

TEST(OverlapQueue, KeptOnesThatANewOneCoversAreRemoved) {
  OverlapQueue q;
  q.insert(piece(12, "ab"));
  q.insert(piece(16, "cd"));
  EXPECT_TRUE(q.insert(piece(10, "0123456789")).kept);
  EXPECT_EQ(q.pieces(), 1U);
  EXPECT_EQ(drained(std::move(q), 10), "0123456789");
}

TEST(OverlapQueue, OfTwoThatOverlapInPartTheLeftGivesTheSharedBytes) {
  OverlapQueue right_first;
  right_first.insert(piece(14, "RRRR"));
  EXPECT_TRUE(right_first.insert(piece(10, "LLLLLL")).kept);
  EXPECT_EQ(drained(std::move(right_first), 10), "LLLLLLRR");
  OverlapQueue left_first;
  left_first.insert(piece(10, "LLLLLL"));
  left_first.insert(piece(14, "RRRR"));
  EXPECT_EQ(drained(std::move(left_first), 10), "LLLLLLRR");
}

TEST(OverlapQueue, AgreementIsNoConflict) {
  OverlapQueue q;
  q.insert(piece(10, "abcdef"));
  EXPECT_FALSE(q.insert(piece(14, "efgh")).conflict);
  EXPECT_EQ(drained(std::move(q), 10), "abcdefgh");
}

TEST(OverlapQueue, APlainCopyTakesTheDoubtfulOnesPlace) {
  OverlapQueue q;
  q.insert(piece(10, "dddddddd", true));
  const auto result = q.insert(piece(12, "PP"));
  EXPECT_TRUE(result.contradicts_doubtful);
  EXPECT_FALSE(result.conflict);
  EXPECT_EQ(drained(std::move(q), 10), "ddPPdddd");
}

TEST(OverlapQueue, ADoubtfulCopyFillsOnlyHoles) {
  OverlapQueue q;
  q.insert(piece(12, "PP"));
  q.insert(piece(16, "QQ"));
  EXPECT_FALSE(q.insert(piece(10, "dddddddddd", true)).conflict);
  EXPECT_EQ(drained(std::move(q), 10), "ddPPddQQdd");
}

TEST(OverlapQueue, CountsWhatIsNew) {
  OverlapQueue q;
  EXPECT_EQ(q.insert(piece(10, "abcd")).new_bytes, 4U);
  EXPECT_EQ(q.insert(piece(12, "cdef")).new_bytes, 2U);
  EXPECT_EQ(q.covered(0, 100), 6U);
  EXPECT_EQ(q.held_bytes(), 8U);
}

}  // namespace
}  // namespace weir::reassemble
