#include "capture/pcap_reader.h"

#include <gmock/gmock.h>

#include <thread>

#include "capture/crafted_test.h"

namespace weir::capture {
namespace {

using namespace crafted;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr TimeNs kSecond = 1'000'000'000;

TEST(Pcap, MicrosecondsAndNanosecondsInBothByteOrders) {
  const Folder folder;
  for (const bool swapped : {false, true}) {
    for (const bool nano : {false, true}) {
      SCOPED_TRACE(testing::Message() << "swapped " << swapped << " nano " << nano);
      const auto path = folder.write(
          "a.pcap", pcap_header(swapped, nano ? 0xa1b23c4d : 0xa1b2c3d4) + pcap_record("one", 7, 5, swapped, 99) + pcap_record("", 8, 0, swapped, 40));
      const auto got = read_all({path});
      ASSERT_THAT(got.packets, SizeIs(2));
      EXPECT_EQ(got.packets[0].bytes, "one");
      EXPECT_EQ(got.packets[0].time, 7 * kSecond + (nano ? 5 : 5000));
      EXPECT_EQ(got.packets[0].original, 99U);
      EXPECT_EQ(got.packets[0].link, LinkType::kEthernet);
      EXPECT_TRUE(got.packets[0].stays);
      EXPECT_EQ(got.packets[1].bytes, "");
      EXPECT_EQ(got.packets[1].original, 40U);
      EXPECT_THAT(got.errors, IsEmpty());
    }
  }
}

TEST(Pcap, KuznetzovsLongerRecords) {
  const Folder folder;
  const auto record = Octets().u32(1).u32(2).u32(3).u32(3).u32(0).u16(0).u8(0).u8(0).raw("abc").text();
  const auto got = read_all({folder.write("a.pcap", pcap_header(false, 0xa1b2cd34) + record + record)});
  EXPECT_THAT(bytes_of(got), ElementsAre("abc", "abc"));
  EXPECT_THAT(got.errors, IsEmpty());
}

TEST(Pcap, AHeaderWithoutPacketsIsFine) {
  const Folder folder;
  const auto got = read_all({folder.write("a.pcap", pcap_header())});
  EXPECT_THAT(got.packets, IsEmpty());
  EXPECT_THAT(got.errors, IsEmpty());
}

TEST(Pcap, CutOffAtEveryOctet) {
  const Folder folder;
  const std::string whole = pcap_header() + pcap_record("first", 1) + pcap_record("second", 2);
  const std::size_t after_first = 24 + 16 + 5;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    for (const std::string& path : {folder.write("a.pcap", whole.substr(0, size)), folder.write("a.pcap.gz", gzip(whole.substr(0, size)))}) {
      const auto got = read_all({path});
      EXPECT_THAT(got.packets, SizeIs(size >= after_first ? 1 : 0));
      const bool whole_records = size == 24 || size == after_first;
      ASSERT_THAT(got.errors, SizeIs(whole_records ? 0 : 1));
      if (whole_records) continue;
      EXPECT_EQ(got.errors[0].file, path);
      EXPECT_THAT(got.errors[0].what, HasSubstr(size == 0 ? "0 octets" : "is cut off"));
    }
  }
}

TEST(Pcap, CorruptRecordsEndTheReadingThere) {
  const Folder folder;
  const std::string good = pcap_header() + pcap_record("good", 1);
  const struct {
    const char* name;
    std::string record;
  } cases[] = {
      {"longer than any capture", Octets().u32(1).u32(0).u32(kMaxCaptured + 1).u32(60).text() + std::string(kMaxCaptured + 1, 'x')},
      {"a length of 4 GiB", Octets().u32(1).u32(0).u32(0xffffffff).u32(60).text()},
      {"zeros", std::string(64, '\0')},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    const auto got = read_all({folder.write("a.pcap", good + test.record)});
    EXPECT_THAT(bytes_of(got), ElementsAre("good"));
    ASSERT_THAT(got.errors, SizeIs(1));
    EXPECT_EQ(got.errors[0].offset, good.size());
  }
}

TEST(Pcap, TheLargestPacketIsRead) {
  const Folder folder;
  const std::string large(kMaxCaptured, 'x');
  std::string text = pcap_header();
  for (int i = 0; i < 5; ++i) text += pcap_record(large, 1);
  for (const auto& path : {folder.write("a.pcap", text), folder.write("a.pcap.gz", gzip(text))}) {
    const auto got = read_all({path});
    EXPECT_THAT(bytes_of(got), ElementsAre(large, large, large, large, large));
    EXPECT_THAT(got.errors, IsEmpty());
  }
}

TEST(Pcap, UnknownVersion) {
  const Folder folder;
  std::string header = pcap_header();
  header[4] = 9;
  const auto got = read_all({folder.write("a.pcap", header)});
  ASSERT_THAT(got.errors, SizeIs(1));
  EXPECT_THAT(got.errors[0].what, HasSubstr("version 9"));
}

TEST(Pcap, LinkTypes) {
  const Folder folder;
  const std::pair<std::uint32_t, LinkType> numbers[] = {
      {0, LinkType::kNull},        {1, LinkType::kEthernet},      {9, LinkType::kPpp},
      {12, LinkType::kRaw},        {14, LinkType::kRaw},          {101, LinkType::kRaw},
      {50, LinkType::kPppHdlc},    {51, LinkType::kPppEther},     {108, LinkType::kLoop},
      {113, LinkType::kLinuxSll},  {228, LinkType::kIpv4},        {229, LinkType::kIpv6},
      {276, LinkType::kLinuxSll2}, {147, LinkType::kUnsupported}, {0x9000'0001, LinkType::kEthernet}};  // frames end in a check sum of 4 octets
  for (const auto& [number, link] : numbers) {
    const auto got = read_all({folder.write("a.pcap", pcap_header(false, 0xa1b2c3d4, number) + pcap_record("0123456789abcdefghij", 1))});
    ASSERT_THAT(got.packets, SizeIs(1)) << number;
    EXPECT_EQ(got.packets[0].link, link) << number;
    EXPECT_THAT(got.warnings, SizeIs(link == LinkType::kUnsupported ? 1 : 0)) << number;
  }
}

TEST(Pcap, AFileThatIsShortenedWhileItIsRead) {
  const Folder folder;
  std::string text = pcap_header();
  for (int i = 0; i < 200; ++i) text += pcap_record(std::string(1000, 'x'), 1);
  const auto path = folder.write("ring.pcap", text);
  MergedCaptures input({path});
  std::array<RawPacket, 8> packets;
  ASSERT_EQ(input.next_batch(packets), 8U);
  std::filesystem::resize_file(path, 10'000);
  std::size_t more = 0;
  while (const auto count = input.next_batch(packets)) more += count;
  EXPECT_LT(more, 32U);
  ASSERT_THAT(input.errors(), SizeIs(1));
}

TEST(Pcap, FromAPipeByLittleAndLittle) {
  std::string text = pcap_header();
  for (int i = 0; i < 3000; ++i) text += pcap_record(std::string(static_cast<std::size_t>(i % 1500), static_cast<char>('a' + i % 26)), 1);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread writer([&] {
    for (std::size_t at = 0; at < text.size();) {
      const auto done = ::write(ends[1], text.data() + at, std::min<std::size_t>(at % 977 + 1, text.size() - at));
      if (done <= 0) break;
      at += static_cast<std::size_t>(done);
    }
    ::close(ends[1]);
  });
  const int standard_input = ::dup(0);
  ::dup2(ends[0], 0);
  ::close(ends[0]);
  const auto got = read_all({"-"});
  ::dup2(standard_input, 0);
  ::close(standard_input);
  writer.join();
  ASSERT_THAT(got.packets, SizeIs(3000));
  for (std::size_t i = 0; i < got.packets.size(); ++i) {
    ASSERT_EQ(got.packets[i].bytes, std::string(i % 1500, static_cast<char>('a' + i % 26)));
    ASSERT_FALSE(got.packets[i].stays);
  }
  EXPECT_THAT(got.points, ElementsAre("stdin"));
  EXPECT_THAT(got.errors, IsEmpty());
}

}  // namespace
}  // namespace weir::capture
