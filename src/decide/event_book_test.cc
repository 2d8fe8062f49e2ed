#include "decide/event_book.h"

#include <gtest/gtest.h>

namespace weir::decide {
namespace {

IpAddress host(unsigned last) { return *parse_ip_address(last == 0 ? "2001:db8::1" : "192.0.2." + std::to_string(last)); }

TEST(EventBook, RemembersForAWhileWhatAHostHasRaised) {
  EventBook book(8);
  EXPECT_EQ(book.of(host(1), 5), 0U);
  book.raised(host(1), bit_of_name("join_flood"), 5);
  book.raised(host(1), bit_of_name("mp_fail"), 6);
  book.raised(host(0), bit_of_name("no event of the catalogue"), 6);
  EXPECT_EQ(book.of(host(1), 7), bit_of(inspect::Event::join_flood) | bit_of(inspect::Event::mp_fail));
  EXPECT_EQ(book.of(host(0), 7), 0U);
  EXPECT_EQ(book.size(), 1U);
  EXPECT_EQ(book.of(host(1), 7 + EventBook::kStay), 0U);
  book.raised(host(1), bit_of(inspect::Event::mp_fail), 7 + EventBook::kStay);
  EXPECT_EQ(book.of(host(1), 8 + EventBook::kStay), bit_of(inspect::Event::mp_fail)) << "what was before is over";
}

TEST(EventBook, TheOldestGoesWhereThereIsNoRoom) {
  EventBook book(2);
  book.raised(host(1), 1, 1);
  book.raised(host(2), 1, 2);
  book.raised(host(1), 2, 3);
  book.raised(host(3), 1, 4);
  EXPECT_EQ(book.size(), 2U);
  EXPECT_EQ(book.evicted(), 1U);
  EXPECT_EQ(book.of(host(1), 5), 3U);
  EXPECT_EQ(book.of(host(2), 5), 0U);
}

}  // namespace
}  // namespace weir::decide
