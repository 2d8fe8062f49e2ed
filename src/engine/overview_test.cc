// Running connections, shown a page at a time.
#include <algorithm>
#include <set>

#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class Pages : public Conversation {
 protected:
  static constexpr std::size_t kPage = 64;

  /// A connection on a port of its own: its number.
  std::uint64_t open() {
    const MpCapable syn;
    EXPECT_TRUE(send({.subflow = opened, .ssn = 0, .flags = 0x02, .acks = 0, .options = {syn}}).opens_connection);
    ports[number] = opened++;
    return number;
  }
  /// Refused by the server, and over once its time is.
  void end(std::uint64_t which) { send({.subflow = ports.at(which), .to_server = false, .ssn = 0, .flags = 0x14}); }
  std::vector<std::uint64_t> page(std::uint64_t after) {
    std::vector<std::uint64_t> numbers;
    for (const ConnectionOverview& one : engine->overview(after, kPage)) numbers.push_back(one.record.info.number);
    return numbers;
  }

  std::uint32_t opened = 0;
  std::map<std::uint64_t, std::uint32_t> ports;
};

TEST_F(Pages, WhatStaysIsShownOnceWhateverComesAndGoes) {
  start();
  std::vector<std::uint64_t> first;
  for (int i = 0; i < 300; ++i) first.push_back(open());
  std::set<std::uint64_t> stayed(first.begin(), first.end());
  std::vector<std::uint64_t> seen;
  std::size_t pages = 0;
  for (auto some = page(0); !some.empty(); some = page(seen.back()), ++pages) {
    EXPECT_LE(some.size(), kPage);
    seen.insert(seen.end(), some.begin(), some.end());
    // One that was shown goes, one that was not goes, and one comes: as long as there are some of the first.
    if (pages >= 4) continue;
    for (const std::uint64_t ended : {some.front(), some.back(), first.at(299 - pages)}) {
      end(ended);
      stayed.erase(ended);
    }
    open();
    engine->advance(now);
  }
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end()) << "none is there twice";
  EXPECT_TRUE(std::ranges::includes(seen, stayed));
  EXPECT_GE(pages, 4U);
}

TEST_F(Pages, ThoseThatGoOnFromAnotherProcessStandInOrderToo) {
  start();
  establish();
  const std::uint64_t known = number;
  const std::vector<std::byte> saved = engine->save();
  start();
  opened = 10;
  const std::uint64_t other = open();
  ASSERT_EQ(other, known) << "the number is taken already";
  EXPECT_EQ(engine->restore(saved, now).value(), 0U);
  start();
  EXPECT_EQ(engine->restore(saved, now).value(), 1U);
  const std::uint64_t later = open();
  EXPECT_EQ(page(0), (std::vector{known, later}));
  EXPECT_EQ(page(known), std::vector{later});
  EXPECT_EQ(page(later), std::vector<std::uint64_t>{});
}

}  // namespace
}  // namespace weir::engine
