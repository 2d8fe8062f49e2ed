#include "report/community_id.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

namespace weir::report {
namespace {

IpAddress address(const char* text) {
  std::byte octets[16];
  if (inet_pton(AF_INET, text, octets) == 1) return IpAddress::v4(std::span<const std::byte, 4>(octets, 4));
  EXPECT_EQ(inet_pton(AF_INET6, text, octets), 1);
  return IpAddress::v6(std::span<const std::byte, 16>(octets, 16));
}

struct Vector {
  const char* src;
  std::uint16_t src_port;
  const char* dst;
  std::uint16_t dst_port;
  const char* id;
};

// TCP vectors of the specification (the first and the last) and of Zeek, seed 0.
class CommunityIdVector : public testing::TestWithParam<Vector> {};

TEST_P(CommunityIdVector, IsTheSpecificationsBothWays) {
  const Vector& v = GetParam();
  CommunityId ids;
  EXPECT_EQ(ids.of({address(v.src), address(v.dst), v.src_port, v.dst_port}), v.id);
  EXPECT_EQ(ids.of({address(v.dst), address(v.src), v.dst_port, v.src_port}), v.id);
}

INSTANTIATE_TEST_SUITE_P(Spec, CommunityIdVector,
                         testing::Values(Vector{"128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
                                         Vector{"1.2.3.4", 1122, "5.6.7.8", 3344, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
                                         Vector{"2001:470:e5bf:dead:4957:2174:e82c:4887", 63943, "2607:f8b0:400c:c03::1a", 25,
                                                "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="}));

}  // namespace
}  // namespace weir::report
