#include "capture/points.h"

#include <gmock/gmock.h>

#include "capture/crafted_test.h"

namespace weir::capture {
namespace {

using namespace crafted;
using testing::ElementsAre;

TEST(CaptureName, WithoutFolderAndSuffixes) {
  const std::pair<const char*, const char*> cases[] = {
      {"path1-client.pcap.gz", "path1-client"},
      {"/a/b/x.pcapng.zst", "x"},
      {"x.PCAP", "x"},
      {"x.cap", "x"},
      {"x.pcap0", "x"},
      {"ring.pcap.1", "ring"},
      {"x", "x"},
      {"x.gz", "x"},
      {"-", "stdin"},
      {"my.site.pcap", "my.site"},
      {".pcap", ".pcap"},
      {"x.trace", "x.trace"},
  };
  for (const auto& [path, name] : cases) EXPECT_EQ(capture_name(path), name) << path;
}

TEST(PointTable, FilesOfOneNameAreToldApartByTheirFolders) {
  PointTable points;
  for (const char* path : {"/x/east/uplink.pcap", "/x/west/uplink.pcap.gz", "/x/west/core.pcap", "/y/west/uplink.pcap"}) points.add_file(path);
  EXPECT_THAT(points.names(), ElementsAre("east/uplink", "west/uplink", "core", "west/uplink#2"));
}

TEST(PointTable, TheFirstInterfaceTakesTheFilesId) {
  PointTable points;
  const auto a = points.add_file("a.pcap");
  const auto b = points.add_file("b.pcap");
  EXPECT_EQ(points.interface(b, "eth0"), 1);
  EXPECT_THAT(points.names(), ElementsAre("a", "b"));
  EXPECT_EQ(points.name(1), "b");
  EXPECT_EQ(points.interface(b, "eth1"), 2);
  EXPECT_EQ(points.interface(a, "eth0"), 0);
  EXPECT_EQ(points.name(1), "b:eth0");
  EXPECT_THAT(points.names(), ElementsAre("a", "b:eth0", "b:eth1"));
}

TEST(PointTable, InterfacesBeyondTheBoundShareTheLastId) {
  PointTable points;
  const auto a = points.add_file("a.pcap");
  for (std::size_t i = 0; i < PointTable::kMaxPoints + 5; ++i) points.interface(a, std::to_string(i));
  EXPECT_EQ(points.size(), PointTable::kMaxPoints);
  EXPECT_EQ(points.interface(a, "one more"), PointTable::kMaxPoints - 1);
  const auto b = points.add_file("b.pcap");
  EXPECT_EQ(points.whole(b), PointTable::kMaxPoints - 1);
}

TEST(Points, LinuxCookedModeTellsTheInterface) {
  const auto cooked = [](std::uint32_t index) { return Octets(true).u16(0x0800).u16(0).u32(index).u16(1).u8(0).u8(6).u64(0).raw("payload").text(); };
  const Folder folder;
  std::string text = pcap_header(false, 0xa1b2c3d4, 276);
  for (const std::uint32_t index : {2U, 3U, 2U}) text += pcap_record(cooked(index), 1);
  text += pcap_record("cut", 1);
  const auto got = read_all({folder.write("any.pcap", text)});
  EXPECT_THAT(got.points, ElementsAre("any:2", "any:3"));
  EXPECT_EQ(got.packets[1].point, "any:3");
  EXPECT_EQ(got.packets[2].point, "any:2");

  const auto one = read_all({folder.write("one.pcap", pcap_header(false, 0xa1b2c3d4, 276) + pcap_record(cooked(7), 1))});
  EXPECT_THAT(one.points, ElementsAre("one"));

  const auto ng = read_all({folder.write("ng.pcapng", section() + interface(option(2, "any"), 276) + enhanced(cooked(4), 1) + enhanced(cooked(5), 2))});
  EXPECT_THAT(ng.points, ElementsAre("ng:4", "ng:5"));
}

TEST(Points, CookedInterfacesWithoutNumberStayBounded) {
  const Folder folder;
  std::string text = pcap_header(false, 0xa1b2c3d4, 276);
  for (std::uint32_t index = 0; index < 70'000; ++index) text += pcap_record(Octets(true).u32(0x08000000).u32(index).text(), 1);
  MergedCaptures input({folder.write("any.pcap", text)});
  std::array<RawPacket, kBatch> packets;
  std::size_t all = 0;
  while (const auto count = input.next_batch(packets)) all += count;
  EXPECT_EQ(all, 70'000U);
  EXPECT_EQ(input.points().size(), PointTable::kMaxPoints);
  EXPECT_EQ(input.points().shared_packets(), 70'000 - PointTable::kMaxPoints);
}

}  // namespace
}  // namespace weir::capture
