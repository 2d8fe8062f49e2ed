// Who is in the inventory, since when, and what of it is news.
#include "inspect/inventory.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::inspect {
namespace {

using What = MptcpUse::What;
using News = InventoryNews::What;

IpAddress ip(const std::string& text) { return *parse_ip_address(text); }

bool in_ten(const IpAddress& address) { return to_string(address).starts_with("10.") || to_string(address).starts_with("fd00:"); }

MptcpUse use(What what, TimeNs time, const std::string& client = "10.0.0.1", const std::string& server = "10.0.0.2", std::uint16_t port = 443) {
  MptcpUse out;
  out.what = what;
  out.time_ns = time;
  out.connection = {ip(client), ip(server), 40'000, port};
  if (what != What::kSeen) out.offered = 1;
  if (what == What::kAgreed) out.answered = 1;
  return out;
}

class InventoryTest : public ::testing::Test {
 protected:
  InventoryEntry client(const std::string& address) { return of({ip(address), InventoryRole::kClient, 0}); }
  InventoryEntry server(const std::string& address, std::uint16_t port = 443) { return of({ip(address), InventoryRole::kServer, port}); }
  InventoryEntry of(const InventoryKey& key) {
    for (const auto& entry : inventory.entries()) {
      if (entry.key == key) return entry;
    }
    ADD_FAILURE() << "no entry " << to_string(key.address);
    return {};
  }
  Inventory inventory{100, in_ten};
};

TEST_F(InventoryTest, BothEndsOfAnAgreedConnectionAreNewOnce) {
  const auto news = inventory.take(use(What::kAgreed, 5));
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].what, News::kSpeaker);
  EXPECT_EQ(news[0].entry.key.role, InventoryRole::kClient);
  EXPECT_EQ(news[1].entry.key.port, 443);
  EXPECT_EQ(news[1].entry.agreed, 1U) << "the news has what the connection itself says";
  EXPECT_TRUE(inventory.take(use(What::kAgreed, 9)).empty());
  const auto entry = server("10.0.0.2");
  EXPECT_EQ(entry.first_ns, 5);
  EXPECT_EQ(entry.last_ns, 9);
  EXPECT_EQ(entry.agreed, 2U);
  EXPECT_EQ(entry.versions, 2);
  EXPECT_EQ(entry.most_subflows, 1U);
}

TEST_F(InventoryTest, OnlyLocalHostsHaveEntries) {
  EXPECT_EQ(inventory.take(use(What::kAgreed, 1, "10.0.0.1", "198.51.100.1")).size(), 1U);
  EXPECT_EQ(inventory.size(), 1U);
  EXPECT_FALSE(inventory.concerns(use(What::kAgreed, 1, "192.0.2.1", "198.51.100.1")));
  EXPECT_EQ(inventory.take(use(What::kAgreed, 1, "fd00::1", "2001:db8::2")).size(), 1U);
  EXPECT_EQ(client("fd00::1").agreed, 1U);
}

TEST_F(InventoryTest, AnotherVersionIsNews) {
  inventory.take(use(What::kAgreed, 1));
  MptcpUse old = use(What::kAgreed, 2);
  old.offered = old.answered = 0;
  const auto news = inventory.take(old);
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[1].what, News::kVersion);
  EXPECT_EQ(news[1].version, 0);
  EXPECT_EQ(news[1].entry.versions, 3);
  EXPECT_EQ(news[1].entry.first_ns, 1);
}

TEST_F(InventoryTest, AServerThatAnswersInAnotherVersionSpeaksThatOne) {
  MptcpUse lower = use(What::kAgreed, 1);
  lower.answered = 0;
  inventory.take(lower);
  EXPECT_EQ(client("10.0.0.1").versions, 2);
  EXPECT_EQ(server("10.0.0.2").versions, 1);
}

TEST_F(InventoryTest, ARefusalShowsTheClientAndIsNoNewsOfTheServer) {
  const auto news = inventory.take(use(What::kRefused, 1));
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].entry.key.role, InventoryRole::kClient);
  EXPECT_EQ(inventory.size(), 1U) << "a box may have taken the option";
  EXPECT_TRUE(inventory.take(use(What::kRefuses, 1)).empty());
  const auto entry = server("10.0.0.2");
  EXPECT_FALSE(entry.speaks);
  EXPECT_EQ(entry.refused, 1U);
  // Someone turns it on: since then it speaks, whatever was before.
  const auto turned_on = inventory.take(use(What::kAgreed, 50));
  ASSERT_EQ(turned_on.size(), 1U);
  EXPECT_EQ(turned_on[0].what, News::kSpeaker);
  EXPECT_EQ(turned_on[0].entry.first_ns, 50);
  EXPECT_EQ(turned_on[0].entry.refused, 1U);
}

TEST_F(InventoryTest, ASynAloneMakesNoEntryForItMayBeForged) {
  EXPECT_TRUE(inventory.take(use(What::kUnanswered, 1)).empty());
  EXPECT_EQ(inventory.size(), 0U);
  MptcpUse half = use(What::kAgreed, 1);
  half.completed = false;
  EXPECT_EQ(inventory.take(half).size(), 1U) << "the server did answer";
  EXPECT_EQ(inventory.size(), 1U);
  inventory.take(use(What::kAgreed, 2));
  inventory.take(use(What::kUnanswered, 3));
  EXPECT_EQ(client("10.0.0.1").unanswered, 1U);
}

TEST_F(InventoryTest, SeenFromItsMiddleThePortsMustTellTheRoles) {
  EXPECT_EQ(inventory.take(use(What::kSeen, 1)).size(), 2U);
  EXPECT_EQ(server("10.0.0.2").versions, 0) << "nothing tells the version";
  MptcpUse unclear = use(What::kSeen, 2, "10.0.0.7", "10.0.0.8", 50'000);
  EXPECT_TRUE(inventory.take(unclear).empty());
  EXPECT_EQ(inventory.roles_unknown(), 1U);
  EXPECT_EQ(inventory.size(), 2U);
}

TEST_F(InventoryTest, AddressesAreNewsOnceAndBounded) {
  inventory.take(use(What::kAgreed, 1));
  MptcpUse offer = use(What::kAddress, 2);
  offer.by_server = true;
  offer.address = ip("10.9.0.2");
  const auto news = inventory.take(offer);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].what, News::kAddress);
  EXPECT_EQ(news[0].address->address, ip("10.9.0.2"));
  EXPECT_FALSE(news[0].address->authentic);
  offer.authentic = true;
  offer.port = 443;  // the service's own: the same
  EXPECT_TRUE(inventory.take(offer).empty());
  MptcpUse joined = use(What::kSubflow, 3);
  joined.subflow = {ip("10.8.0.1"), ip("10.9.0.2"), 50'000, 443};
  joined.subflows = 2;
  const auto used = inventory.take(joined);
  ASSERT_EQ(used.size(), 1U) << "the client's other address is new";
  EXPECT_EQ(used[0].entry.key.role, InventoryRole::kClient);
  const auto entry = server("10.0.0.2");
  ASSERT_EQ(entry.addresses.size(), 1U);
  EXPECT_TRUE(entry.addresses[0].offered && entry.addresses[0].authentic && entry.addresses[0].used);
  EXPECT_EQ(entry.most_subflows, 2U);
  EXPECT_TRUE(client("10.0.0.1").addresses[0].used);
  for (int i = 0; i < 40; ++i) {
    offer.address = ip("10.7.0." + std::to_string(i));
    inventory.take(offer);
  }
  EXPECT_EQ(server("10.0.0.2").addresses.size(), Inventory::kMostAddresses);
  EXPECT_EQ(inventory.addresses_left_out(), 40 - (Inventory::kMostAddresses - 1));
}

TEST_F(InventoryTest, ThePortOfAServerThatOpenedASubflowIsNotAService) {
  inventory.take(use(What::kAgreed, 1));
  MptcpUse opened = use(What::kSubflow, 2);
  opened.subflow = {ip("10.0.0.1"), ip("10.9.0.2"), 40'000, 55'555};
  inventory.take(opened);
  EXPECT_EQ(server("10.0.0.2").addresses.at(0).port, 0);
}

TEST_F(InventoryTest, FallbackIsCounted) {
  inventory.take(use(What::kAgreed, 1));
  inventory.take(use(What::kFallback, 2));
  EXPECT_EQ(client("10.0.0.1").fallback, 1U);
  EXPECT_EQ(server("10.0.0.2").fallback, 1U);
}

TEST(InventoryLimit, TheOneNotSeenForLongestGoes) {
  Inventory inventory(2, in_ten);
  inventory.take(use(What::kAgreed, 1, "10.0.0.1", "198.51.100.1"));
  inventory.take(use(What::kAgreed, 2, "10.0.0.2", "198.51.100.1"));
  inventory.take(use(What::kAgreed, 3, "10.0.0.1", "198.51.100.1"));
  inventory.take(use(What::kAgreed, 4, "10.0.0.3", "198.51.100.1"));
  EXPECT_EQ(inventory.evicted(), 1U);
  const auto entries = inventory.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].key.address, ip("10.0.0.1"));
  EXPECT_EQ(entries[1].key.address, ip("10.0.0.3"));
}

TEST(InventoryLimit, WhatIsRestoredKeepsItsBeginningAndIsNoNews) {
  Inventory before(10, in_ten);
  before.take(use(What::kAgreed, 7));
  Inventory after(10, in_ten);
  after.restore(before.entries());
  EXPECT_EQ(after.entries(), before.entries());
  EXPECT_TRUE(after.take(use(What::kAgreed, 99)).empty());
  EXPECT_EQ(after.entries()[0].first_ns, 7);
  EXPECT_EQ(after.entries()[0].last_ns, 99);
  Inventory small(1, in_ten);
  auto entries = before.entries();
  entries[1].last_ns = 50;
  small.restore(entries);
  ASSERT_EQ(small.size(), 1U);
  EXPECT_EQ(small.entries()[0].last_ns, 50) << "those seen last fit";
}

}  // namespace
}  // namespace weir::inspect
