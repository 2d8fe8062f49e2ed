#include "probe/raw/way_table.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace weir::probe::raw {
namespace {

IpAddress address(std::string_view text) { return parse_ip_address(text).value(); }

std::vector<targets::Prefix> nets(std::initializer_list<std::string_view> texts) {
  std::vector<targets::Prefix> out;
  for (const auto text : texts) out.push_back(targets::parse_prefix(text).value());
  return out;
}

TEST(WayTable, ARouteInsideAnotherCutsItInThree) {
  const auto routes = nets({"0.0.0.0/0", "10.2.0.0/16", "10.2.3.0/24", "::/0", "fd00:2::/32"});
  std::vector<IpAddress> asked;
  const auto way = [&](const IpAddress& target) -> std::optional<std::uint32_t> {
    asked.push_back(target);
    if (!target.is_v4()) return std::nullopt;
    if (target >= address("10.2.3.0") && target <= address("10.2.3.255")) return 3;
    return target >= address("10.2.0.0") && target <= address("10.2.255.255") ? 2 : 1;
  };
  const std::vector<targets::AddressRange> all{{address("10.0.0.7"), address("10.255.0.0")}, {address("fd00:2::1"), address("fd00:2::1")}};
  const auto table = WayTable::make(routes, all, way);
  ASSERT_TRUE(table);
  EXPECT_EQ(asked,
            (std::vector{address("10.0.0.7"), address("10.2.0.0"), address("10.2.3.0"), address("10.2.4.0"), address("10.3.0.0"), address("fd00:2::1")}));
  for (const auto& [text, right] : {std::pair("10.0.0.7", 1),
                                    {"10.1.255.255", 1},
                                    {"10.2.0.0", 2},
                                    {"10.2.2.255", 2},
                                    {"10.2.3.0", 3},
                                    {"10.2.3.255", 3},
                                    {"10.2.4.0", 2},
                                    {"10.3.0.0", 1},
                                    {"10.255.0.0", 1}})
    EXPECT_EQ(table->at(address(text)), right) << text;
  EXPECT_EQ(table->at(address("fd00:2::1")), std::nullopt);
}

TEST(WayTable, OneWayOutIsOnePieceHoweverManyRoutesThereAre) {
  const auto routes = nets({"0.0.0.0/0", "10.2.0.0/16", "10.2.3.0/24", "192.0.2.0/24", "255.255.255.255/32", "ffff::/16"});
  const std::vector<targets::AddressRange> all{{address("10.0.0.0"), address("10.255.255.255")}, {address("198.51.100.1"), address("198.51.100.1")}};
  const auto table = WayTable::make(routes, all, [](const IpAddress&) { return 0; });
  ASSERT_TRUE(table);
  EXPECT_EQ(table->pieces(), 1U);
  EXPECT_EQ(table->at(address("198.51.100.1")), 0U);
}

}  // namespace
}  // namespace weir::probe::raw
