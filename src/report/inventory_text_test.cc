// The inventory as text and as a file: what is written is read again, and nothing else is.
#include "report/inventory_text.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "report/inventory_file.h"
#include "report/time_text.h"

namespace weir::report {
namespace {

using inspect::InventoryAddress;
using inspect::InventoryEntry;
using inspect::InventoryRole;

IpAddress ip(const std::string& text) { return *parse_ip_address(text); }

/// 2026-11-24T02:16:00.123456Z: whole microseconds, as they are written.
constexpr TimeNs kTime = 1'795'486'560'123'456'000;

std::vector<InventoryEntry> sample() {
  InventoryEntry client;
  client.key = {.address = ip("10.0.0.1"), .role = InventoryRole::kClient, .port = 0};
  client.speaks = true;
  client.versions = 3;
  client.first_ns = kTime;
  client.last_ns = kTime + 60'000'000'000;
  client.agreed = 1'000;
  client.unanswered = 2;
  client.most_subflows = 4;
  InventoryEntry server = client;
  server.key = {.address = ip("2001:db8::2"), .role = InventoryRole::kServer, .port = 443};
  server.addresses = {{.address = ip("2001:db8::3"), .port = 8443, .offered = true, .authentic = true, .used = false},
                      {.address = ip("10.0.0.9"), .port = 0, .offered = false, .authentic = false, .used = true}};
  InventoryEntry refuses = server;
  refuses.key = {.address = ip("10.0.0.2"), .role = InventoryRole::kServer, .port = 22};
  refuses.speaks = false;
  refuses.versions = 0;
  refuses.addresses.clear();
  return {client, server, refuses};
}

TEST(InventoryText, WhatIsWrittenIsReadAgain) {
  const auto entries = sample();
  const auto read = inventory_from_json(inventory_json(entries));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(*read, entries);
  const auto nothing = inventory_from_json(inventory_json({}));
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->empty());
}

TEST(InventoryText, CutOrChangedItIsRefusedOrWhole) {
  const std::string text = inventory_json(sample());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) EXPECT_FALSE(inventory_from_json(std::string_view(text).substr(0, size))) << size;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'\0', '"', '9', '{', '-'}) {
      std::string changed = text;
      changed[i] = c;
      if (const auto read = inventory_from_json(changed)) {
        EXPECT_EQ(read->size(), 3U);
      }
    }
  }
}

TEST(InventoryText, WhyItIsNone) {
  const auto why = [](std::string_view from, std::string_view to) {
    std::string text = inventory_json(sample());
    const auto place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    text.replace(place, from.size(), to);
    const auto read = inventory_from_json(text);
    return read ? "it was taken" : read.error();
  };
  EXPECT_EQ(why("weir-inventory-1", "weir-inventory-2"), "the format is not weir-inventory-1");
  EXPECT_EQ(why("10.0.0.1", "10.0.0.256"), "entry 1: 'address' is no IP address");
  EXPECT_EQ(why("\"client\"", "\"proxy\""), "entry 1: 'role' is neither client nor server");
  EXPECT_EQ(why("\"agreed\":1000", "\"agreed\":-1"), "entry 1: 'agreed' is no number of things");
  EXPECT_EQ(why("\"agreed\":1000", "\"agreed\":18446744073709551615"), "entry 1: 'agreed' is beyond 9223372036854775807");
  EXPECT_EQ(why("\"port\":443", "\"port\":65536"), "entry 2: 'port' is beyond 65535");
  EXPECT_EQ(why("2026-11-24T", "2026-13-24T"), "entry 1: 'first_seen' is no time");
  EXPECT_EQ(why("\"versions\":[0,1]", "\"versions\":[9]"), "entry 1: 'versions' is beyond 1");
  EXPECT_EQ(why("\"speaks\":true", "\"speaks\":1"), "entry 1: 'speaks' is neither true nor false");
}

TEST(InventoryText, Csv) {
  EXPECT_EQ(inventory_csv(sample()),
            "address,role,port,speaks,versions,first_seen,last_seen,agreed,refused,unanswered,fallback,most_subflows,addresses_offered,addresses_used\r\n"
            "10.0.0.1,client,,yes,0 1,2026-11-24T02:16:00.123456+0000,2026-11-24T02:17:00.123456+0000,1000,0,2,0,4,,\r\n"
            "2001:db8::2,server,443,yes,0 1,2026-11-24T02:16:00.123456+0000,2026-11-24T02:17:00.123456+0000,1000,0,2,0,4,[2001:db8::3]:8443,10.0.0.9\r\n"
            "10.0.0.2,server,22,no,,2026-11-24T02:16:00.123456+0000,2026-11-24T02:17:00.123456+0000,1000,0,2,0,4,,\r\n");
}

TEST(InventoryText, TimesAreReadAsTheyAreWritten) {
  std::string text;
  append_timestamp(text, kTime);
  EXPECT_EQ(parse_timestamp(text), kTime);
  for (const char* wrong : {"", "2026-11-24T02:16:00.123456+0100", "2026-02-30T02:16:00.123456+0000", "2026-11-24T24:16:00.123456+0000",
                            "2026-11-24 02:16:00.123456+0000", "9999-11-24T02:16:00.123456+0000", "2026-11-24T02:16:00.123456+00000"}) {
    EXPECT_EQ(parse_timestamp(wrong), std::nullopt) << wrong;
  }
}

class InventoryFile : public testing::Test {
 protected:
  InventoryFile() : folder_(testing::TempDir() + "inventory_file." + std::to_string(::getpid())) { std::filesystem::create_directory(folder_); }
  ~InventoryFile() override { std::filesystem::remove_all(folder_); }
  std::string folder_, path_ = folder_ + "/inventory.json";
};

TEST_F(InventoryFile, IsReplacedAsAWhole) {
  const auto none = read_inventory(path_);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  auto entries = sample();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(write_inventory(path_, entries));
    const auto read = read_inventory(path_);
    ASSERT_TRUE(read && *read);
    EXPECT_EQ(**read, entries);
    entries.pop_back();
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing is left beside it";
}

TEST_F(InventoryFile, DamagedItIsPutAside) {
  std::ofstream(path_) << "{\"format\":";
  const auto read = read_inventory(path_);
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().damaged);
  EXPECT_FALSE(put_aside(path_));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(std::filesystem::exists(path_ + ".damaged"));
}

TEST_F(InventoryFile, WhatCannotBeReadIsNotCalledDamaged) {
  const auto read = read_inventory(folder_);
  ASSERT_FALSE(read);
  EXPECT_FALSE(read.error().damaged);
  const auto problem = write_inventory(folder_ + "/none/inventory.json", sample());
  ASSERT_TRUE(problem);
  EXPECT_NE(problem->why.find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace weir::report
