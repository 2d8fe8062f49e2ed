#include "inspect/fragmentation.h"

#include <gtest/gtest.h>

namespace weir::inspect {
namespace {

bool raised_by(FragmentationWatch& watch, int pieces, std::uint64_t size, std::uint32_t subflows) {
  bool raised = false;
  for (int i = 0; i < pieces; ++i) raised = watch.add(static_cast<std::uint32_t>(i) % subflows, size, 256, 64) || raised;
  return raised;
}

TEST(Fragmentation, ASustainedRunOfSmallPiecesIsRaised) {
  FragmentationWatch watch;
  EXPECT_FALSE(raised_by(watch, 255, 1, 5));
  FragmentationWatch longer;
  EXPECT_TRUE(raised_by(longer, 256, 1, 5));
}

TEST(Fragmentation, OneSubflowIsNone) {
  FragmentationWatch watch;
  EXPECT_FALSE(raised_by(watch, 5'000, 1, 1));
}

TEST(Fragmentation, LargePiecesAreNone) {
  FragmentationWatch watch;
  EXPECT_FALSE(raised_by(watch, 5'000, 64, 2));
}

TEST(Fragmentation, ALargePieceBreaksTheRun) {
  FragmentationWatch watch;
  for (int round = 0; round < 20; ++round) {
    EXPECT_FALSE(raised_by(watch, 200, 1, 2));
    watch.add(9, 256 * 64, 256, 64);
  }
}

}  // namespace
}  // namespace weir::inspect
