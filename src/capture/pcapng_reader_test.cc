#include "capture/pcapng_reader.h"

#include <gmock/gmock.h>

#include "capture/crafted_test.h"

namespace weir::capture {
namespace {

using namespace crafted;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Pcapng, BothByteOrdersInOneFile) {
  const Folder folder;
  std::string text;
  for (const bool swapped : {false, true})
    text += section(swapped) + interface({}, 1, 0, swapped) + enhanced("abcde", 1'000'002, 0, swapped, option(1, "a comment", swapped));
  const auto got = read_all({folder.write("a.pcapng", text)});
  EXPECT_THAT(bytes_of(got), ElementsAre("abcde", "abcde"));
  EXPECT_EQ(got.packets[1].time, 1'000'002'000);
  EXPECT_THAT(got.errors, IsEmpty());
  EXPECT_THAT(got.points, ElementsAre("a")) << "the same interface, in a later section";
}

TEST(Pcapng, AllPacketBlocksAndUnknownOnes) {
  const Folder folder;
  const std::string obsolete = block(2, Octets().u16(0).u16(7).u32(0).u32(5).u32(3).u32(60).raw("old").text());
  const std::string simple = block(3, Octets().u32(9).raw("simple").text());  // 9 on the wire, cut to the snap length of 6
  const std::string text = section() + interface({}, 101, 6) + block(5, std::string(100, 's')) + obsolete + block(0x80000bad, std::string(70'000, 'u')) +
                           simple + enhanced("new", 6);
  for (const auto& path : {folder.write("a.pcapng", text), folder.write("b.pcapng.zst", zstd(text))}) {
    const auto got = read_all({path});
    EXPECT_THAT(bytes_of(got), ElementsAre("old", "simple", "new"));
    EXPECT_THAT(got.errors, IsEmpty());
    EXPECT_EQ(got.packets[0].original, 60U);
    EXPECT_EQ(got.packets[1].original, 9U);
    EXPECT_EQ(got.packets[1].time, 5000) << "a simple packet has the time of the one before";
    EXPECT_EQ(got.packets[0].link, LinkType::kRaw);
  }
}

TEST(Pcapng, Clocks) {
  const struct {
    std::uint8_t resolution;
    std::int64_t offset;
    std::uint64_t ticks;
    std::optional<TimeNs> ns;
  } cases[] = {
      {6, 0, 5, 5'000},
      {9, 0, 5, 5},
      {0, 0, 5, 5'000'000'000},
      {3, 10, 5, 10'005'000'000},
      {6, -1, 2'000'000, 1'000'000'000},
      {12, 0, 5'000, 5},
      {0x80 | 10, 0, 1024 + 512, 1'500'000'000},
      {0x80 | 32, 1, std::uint64_t{1} << 31, 1'500'000'000},
      {30, 0, ~std::uint64_t{0}, 0},
      {0xff, 0, ~std::uint64_t{0}, 0},
      {6, -10, 0, std::nullopt},
      {0, 0, ~std::uint64_t{0}, std::nullopt},
      {6, std::numeric_limits<std::int64_t>::max(), 0, std::nullopt},
  };
  for (const auto& test : cases)
    EXPECT_EQ(InterfaceClock::of(test.resolution, test.offset).time(test.ticks), test.ns) << int{test.resolution} << " " << test.offset << " " << test.ticks;
}

TEST(Pcapng, ClockOptionsAreRead) {
  const Folder folder;
  for (const bool swapped : {false, true}) {
    const auto options =
        option(2, "eth0", swapped) + option(9, std::string(1, '\x09'), swapped) + option(14, Octets(swapped).u64(100).text(), swapped) + option(0, "", swapped);
    const auto got = read_all({folder.write("a.pcapng", section(swapped) + interface(options, 1, 0, swapped) + enhanced("x", 7, 0, swapped))});
    ASSERT_THAT(got.packets, SizeIs(1));
    EXPECT_EQ(got.packets[0].time, 100'000'000'007);
  }
}

TEST(Pcapng, CutOffAtEveryOctet) {
  const Folder folder;
  const std::string head = section() + interface(option(2, "eth0"));
  const std::string one = enhanced("first", 1);
  const std::string whole = head + one + enhanced("second", 2, 0, false, option(1, "comment"));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    for (const std::string& path : {folder.write("a.pcapng", whole.substr(0, size)), folder.write("a.pcapng.gz", gzip(whole.substr(0, size)))}) {
      const auto got = read_all({path});
      const bool at_border = size == section().size() || size == head.size() || size == head.size() + one.size();
      EXPECT_THAT(got.errors, SizeIs(at_border ? 0 : 1));
      if (!at_border) {
        EXPECT_THAT(got.errors[0].what, HasSubstr("is cut off"));
      }
      for (const Packet& packet : got.packets) EXPECT_TRUE(packet.bytes == "first" || packet.bytes == "second");
      EXPECT_GE(got.packets.size(), size >= head.size() + one.size() ? 1U : 0U);
    }
  }
}

TEST(Pcapng, ADamagedBlockIsPassedOver) {
  const Folder folder;
  const std::string undeclared = enhanced("x", 1, 9);
  const std::string too_long = block(6, Octets().u32(0).u32(0).u32(1).u32(5000).u32(5000).raw("short").text());
  const std::string too_short = block(6, "tiny");
  const std::string impossible_time = enhanced("x", ~std::uint64_t{0});
  for (const auto& bad : {undeclared, too_long, too_short, impossible_time, block(3, ""), block(1, "")}) {
    const std::string before = section() + interface() + enhanced("before", 1);
    const auto got = read_all({folder.write("a.pcapng", before + bad + enhanced("after", 2))});
    EXPECT_THAT(bytes_of(got), ElementsAre("before", "after"));
    ASSERT_THAT(got.errors, SizeIs(1));
    EXPECT_EQ(got.errors[0].offset, before.size());
  }
}

TEST(Pcapng, LengthsThatContradictEachOtherEndTheReading) {
  const Folder folder;
  const std::string before = section() + interface() + enhanced("before", 1);
  std::string differing = enhanced("bad", 2);
  differing[differing.size() - 4] = 4;
  const std::string unaligned = Octets().u32(6).u32(33).raw(std::string(29, 'x')).text();
  const std::string none = std::string(32, '\0');
  const std::string no_order = block(0x0a0d0d0a, std::string(16, 'x'));
  for (const auto& bad : {differing, unaligned, none, no_order}) {
    const auto got = read_all({folder.write("a.pcapng", before + bad + enhanced("after", 3))});
    ASSERT_FALSE(got.packets.empty());
    EXPECT_EQ(got.packets[0].bytes, "before");
    EXPECT_NE(got.packets.back().bytes, "after");
    EXPECT_THAT(got.errors, SizeIs(1));
  }
}

TEST(Pcapng, InterfacesAreCapturePoints) {
  const Folder folder;
  const std::string text = section() + interface(option(2, "eth0")) + interface(option(2, "wlan0")) + interface() + enhanced("a", 1, 1) + enhanced("b", 2, 0) +
                           enhanced("c", 3, 2) + section() + interface(option(2, "wlan0")) + enhanced("d", 4, 0);
  const auto got = read_all({folder.write("site.pcapng.gz", gzip(text))});
  ASSERT_THAT(got.packets, SizeIs(4));
  EXPECT_EQ(got.packets[0].point, "site:wlan0");
  EXPECT_EQ(got.packets[1].point, "site:eth0");
  EXPECT_EQ(got.packets[2].point, "site:2");
  EXPECT_EQ(got.packets[3].point, "site:wlan0");
  EXPECT_THAT(got.points, ElementsAre("site:eth0", "site:wlan0", "site:2"));
}

TEST(Pcapng, TwoInterfacesOfOneNameInASectionAreTwoPoints) {
  const Folder folder;
  const std::string eth0 = interface(option(2, "eth0"));
  const auto got = read_all({folder.write("a.pcapng", section() + eth0 + eth0 + enhanced("a", 1, 0) + enhanced("b", 2, 1))});
  EXPECT_THAT(got.points, ElementsAre("a:eth0", "a:eth0#2"));
  EXPECT_EQ(got.packets[1].point, "a:eth0#2");
}

TEST(Pcapng, MixedLinkTypes) {
  const Folder folder;
  const auto got =
      read_all({folder.write("a.pcapng", section() + interface({}, 1) + interface({}, 147) + enhanced("a", 1, 0) + enhanced("b", 2, 1) + enhanced("c", 3, 1))});
  ASSERT_THAT(got.packets, SizeIs(3));
  EXPECT_EQ(got.packets[0].link, LinkType::kEthernet);
  EXPECT_EQ(got.packets[1].link, LinkType::kUnsupported);
  ASSERT_THAT(got.warnings, SizeIs(1));
  EXPECT_THAT(got.warnings[0], HasSubstr("2 packets of link type 147"));
}

}  // namespace
}  // namespace weir::capture
