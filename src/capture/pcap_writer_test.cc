#include "capture/pcap_writer.h"

#include <gmock/gmock.h>

#include "capture/crafted_test.h"

namespace weir::capture {
namespace {

using namespace crafted;
using testing::HasSubstr;
using testing::SizeIs;

std::span<const std::byte> octets(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(PcapWriter, WhatIsWrittenIsRead) {
  const Folder folder;
  const std::string path = folder.path() + "/out.pcap";
  for (const auto precision : {PcapWriter::Precision::kMicroseconds, PcapWriter::Precision::kNanoseconds}) {
    auto writer = PcapWriter::create(path, 101, precision);
    ASSERT_TRUE(writer);
    for (int i = 0; i < 2000; ++i) writer->write(1'700'000'000'123'456'789 + i, octets(std::string(static_cast<std::size_t>(i), 'x')), 5000);
    writer->write(-5, octets("early"), 0);
    ASSERT_TRUE(writer->close());
    const auto got = read_all({path});
    ASSERT_THAT(got.packets, SizeIs(2001));
    EXPECT_THAT(got.errors, testing::IsEmpty());
    EXPECT_EQ(got.packets[7].bytes, "xxxxxxx");
    EXPECT_EQ(got.packets[7].original, 5000U);
    EXPECT_EQ(got.packets[7].link, LinkType::kRaw);
    EXPECT_EQ(got.packets[7].time, precision == PcapWriter::Precision::kNanoseconds ? 1'700'000'000'123'456'796 : 1'700'000'000'123'456'000);
    EXPECT_EQ(got.packets[2000].time, 0);
    EXPECT_EQ(got.packets[2000].original, 5U);
  }
}

TEST(PcapWriter, AFullDiskIsToldOnce) {
  auto writer = PcapWriter::create("/dev/full", 1);
  ASSERT_TRUE(writer);
  for (int i = 0; i < 1000; ++i) writer->write(1, octets(std::string(1000, 'x')), 0);
  EXPECT_TRUE(writer->failed());
  const auto closed = writer->close();
  ASSERT_FALSE(closed);
  EXPECT_THAT(closed.error().what, HasSubstr("No space left"));
  EXPECT_TRUE(writer->close());
}

TEST(PcapWriter, WhereNothingCanBeWritten) {
  const auto writer = PcapWriter::create("/nonexistent/out.pcap", 1);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().file, "/nonexistent/out.pcap");
}

}  // namespace
}  // namespace weir::capture
