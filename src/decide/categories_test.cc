#include "decide/categories.h"

#include <gtest/gtest.h>

#include "decide/category_lists.h"

namespace weir::decide {
namespace {

TEST(Categories, SubdomainsCount) {
  Categories categories;
  const auto finance = *categories.category("finance"), adult = *categories.category("adult");
  EXPECT_EQ(categories.add(finance, "Bank.example."), Categories::Added::kAdded);
  EXPECT_EQ(categories.add(finance, "shared.example"), Categories::Added::kAdded);
  EXPECT_EQ(categories.add(adult, "*.shared.example"), Categories::Added::kAdded);
  EXPECT_EQ(categories.add(adult, "192.0.2.1"), Categories::Added::kAdded);
  EXPECT_EQ(categories.add(adult, "2001:db8::1"), Categories::Added::kAdded);
  EXPECT_EQ(categories.size(), 4U);
  EXPECT_TRUE(categories.of("bank.example").test(finance));
  EXPECT_TRUE(categories.of("www.online.bank.example").test(finance));
  EXPECT_TRUE(categories.of("ebank.example").none());
  EXPECT_TRUE(categories.of("example").none());
  EXPECT_TRUE(categories.of("bank.example.other").none());
  EXPECT_EQ(categories.of("a.shared.example").count(), 2U);
  EXPECT_TRUE(categories.of(*parse_ip_address("192.0.2.1")).test(adult));
  EXPECT_TRUE(categories.of(*parse_ip_address("192.0.2.2")).none());
  EXPECT_TRUE(categories.of("").none());
}

TEST(Categories, RefuseWhatIsNoName) {
  Categories categories;
  const auto any = *categories.category("any");
  for (const char* odd : {"", ".", "a..b", "a b", "\xc3\xa4.example", "a,b", "*"}) EXPECT_EQ(categories.add(any, odd), Categories::Added::kOdd) << odd;
  EXPECT_EQ(categories.add(any, std::string(254, 'a')), Categories::Added::kOdd);
  EXPECT_EQ(categories.size(), 0U);
}

TEST(Categories, AreBounded) {
  Categories categories;
  for (std::size_t i = 0; i < Categories::kMostCategories; ++i) ASSERT_TRUE(categories.category(std::to_string(i)));
  EXPECT_FALSE(categories.category("one more"));
  EXPECT_EQ(categories.category("7"), 7U);
  // A name in all of them is one set.
  for (std::size_t i = 0; i < Categories::kMostCategories; ++i) categories.add(i, "everywhere.example");
  EXPECT_TRUE(categories.of("www.everywhere.example").all());
}

ListCounts names(std::string_view text, Categories& into) { return read_name_list(text, *into.category("it"), into); }

TEST(CategoryLists, OneNameALine) {
  Categories categories;
  const ListCounts counts = names(
      "\xef\xbb\xbf# a list\r\nfirst.example\r\n\n  second.example  # with a comment\n0.0.0.0 "
      "third.example\n198.51.100.7\nhttp://fourth.example/\nlast.example",
      categories);
  EXPECT_EQ(counts.taken, 6U);
  EXPECT_EQ(counts.odd, 0U);
  for (const char* name : {"first.example", "second.example", "third.example", "fourth.example", "last.example"})
    EXPECT_TRUE(categories.of(name).any()) << name;
  EXPECT_TRUE(categories.of(*parse_ip_address("198.51.100.7")).any());
}

TEST(CategoryLists, PathsDecideNothingAndAreCounted) {
  Categories categories;
  const ListCounts counts = names("big.example/page\nsmall.example:8080\nhttps://u.example?x=1\n", categories);
  EXPECT_EQ(counts.with_path, 2U);
  EXPECT_EQ(counts.taken, 1U);
  EXPECT_TRUE(categories.of("big.example").none());
  EXPECT_TRUE(categories.of("small.example").any());
}

TEST(CategoryLists, OddLinesAreCounted) {
  Categories categories;
  const ListCounts counts = names("good.example\ntwo words\n\x01\x02\n", categories);
  EXPECT_EQ(counts.taken, 1U);
  EXPECT_EQ(counts.odd, 2U);
  EXPECT_EQ(counts.first_odd, 2U);
}

TEST(CategoryLists, CsvWithAndWithoutTitles) {
  Categories categories;
  const auto it = *categories.category("Finance");
  const ListCounts titled = read_csv_list("id,Domain,Category\n1,a.example,finance\n2,b.example,news\n3,\"c.example\",\"Finance\"\n4\n", it, categories);
  EXPECT_EQ(titled.taken, 2U);
  EXPECT_EQ(titled.other, 1U);
  EXPECT_EQ(titled.odd, 1U);
  EXPECT_TRUE(categories.of("c.example").any());
  EXPECT_TRUE(categories.of("b.example").none());
  const ListCounts ranked = read_csv_list("1,top.example\n2,next.example\n", it, categories);
  EXPECT_EQ(ranked.taken, 2U);
  EXPECT_TRUE(categories.of("top.example").any());
  EXPECT_EQ(read_csv_list("name\n\"open\n", it, categories).odd, 1U);
  EXPECT_EQ(read_csv_list("1,2,3\n4,5,6\n", it, categories).odd, 2U);
}

}  // namespace
}  // namespace weir::decide
