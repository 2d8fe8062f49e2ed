#include "capture/capture_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "capture/crafted_test.h"

namespace weir::capture {
namespace {

using namespace crafted;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Some megabytes of packets whose octets tell their place, hardly compressible.
std::string many_packets(std::size_t count) {
  std::string text = pcap_header();
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    std::string data(i % 1400 + 1, '\0');
    for (char& c : data) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    text += pcap_record(data, static_cast<std::uint32_t>(i));
  }
  return text;
}

TEST(CaptureFile, CompressionIsToldByTheFirstOctetsNotByTheName) {
  const Folder folder;
  const std::string text = many_packets(3000);
  const auto plain = read_all({folder.write("plain.pcap.gz", text)});
  ASSERT_THAT(plain.packets, SizeIs(3000));
  EXPECT_TRUE(plain.packets[0].stays);
  for (const auto& path : {folder.write("a.pcap", gzip(text)), folder.write("b.pcap", zstd(text))}) {
    const auto got = read_all({path});
    EXPECT_EQ(bytes_of(got), bytes_of(plain));
    EXPECT_FALSE(got.packets[0].stays);
    EXPECT_THAT(got.errors, IsEmpty());
  }
}

TEST(CaptureFile, SeveralMembersAndFramesAreOneStream) {
  const Folder folder;
  const std::string text = many_packets(1000);
  const auto plain = bytes_of(read_all({folder.write("plain.pcap", text)}));
  const std::string_view all = text;
  const auto cut = text.size() / 3;
  EXPECT_EQ(bytes_of(read_all({folder.write("a.gz", gzip(all.substr(0, cut)) + gzip("") + gzip(all.substr(cut)))})), plain);
  EXPECT_EQ(bytes_of(read_all({folder.write("a.zst", zstd(all.substr(0, cut)) + zstd(all.substr(cut)))})), plain);
  const std::string skippable = Octets().u32(0x184d2a53).u32(5).raw("hello").text();
  EXPECT_EQ(bytes_of(read_all({folder.write("b.zst", skippable + zstd(all))})), plain);
  const auto padded = read_all({folder.write("b.gz", gzip(all) + std::string(300'000, '\0'))});
  EXPECT_EQ(bytes_of(padded), plain);
  EXPECT_THAT(padded.errors, IsEmpty());
}

TEST(CaptureFile, CutOrCorruptCompressionGivesWhatCameBefore) {
  const Folder folder;
  const std::string text = many_packets(2000);
  for (const bool gz : {true, false}) {
    const std::string packed = gz ? gzip(text) : zstd(text);
    std::string damaged = packed;
    for (std::size_t i = 0; i < 200; ++i) damaged[packed.size() / 2 + i] = '\x55';
    const std::string bad_ones[] = {packed.substr(0, packed.size() / 2), packed + "rubbish behind it", damaged};
    for (const std::string& bad : bad_ones) {
      const auto got = read_all({folder.write("a", bad)});
      EXPECT_GT(got.packets.size(), 100U);
      ASSERT_THAT(got.errors, SizeIs(1));
      if (&bad != &bad_ones[2]) {  // damage may first show in a record's length
        EXPECT_THAT(got.errors[0].what, HasSubstr(gz ? "gzip data" : "zstd data"));
      }
    }
    EXPECT_THAT(read_all({folder.write("a", packed + "rubbish behind it")}).packets, SizeIs(2000));
  }
}

TEST(CaptureFile, WhatIsNoCapture) {
  const Folder folder;
  const struct {
    std::string text;
    const char *what, *hint;
  } cases[] = {
      {"", "has 0 octets", ""},
      {gzip(""), "holds 0 octets", ""},
      {"abc", "is no capture", ""},
      {"hello, world, this is text", "is no capture", "pcap and pcapng"},
      {gzip("hello, world, this is text"), "is no capture", "pcap and pcapng"},
      {std::string("\xfd"
                   "7zXZ\0\0\0",
                   8),
       "is no capture", "xz -dc"},
      {std::string(100, '\0'), "is no capture", ""},
      {"\xd4\xc3", "is cut off", ""},
  };
  for (const auto& test : cases) {
    const auto path = folder.write("a", test.text);
    PointTable points;
    const auto file = CaptureFile::open(path, points);
    ASSERT_FALSE(file.has_value()) << test.text;
    EXPECT_EQ(file.error().file, path);
    EXPECT_THAT(file.error().what, HasSubstr(test.what));
    EXPECT_THAT(file.error().hint, HasSubstr(test.hint));
  }
}

TEST(CaptureFile, WhatCannotBeOpened) {
  const Folder folder;
  PointTable points;
  EXPECT_THAT(CaptureFile::open(folder.path(), points).error().what, HasSubstr("directory"));
  EXPECT_THAT(CaptureFile::open(folder.path() + "/none", points).error().what, HasSubstr("No such file"));
}

TEST(CaptureFile, ProgressOfAFileEndsAtItsSize) {
  const Folder folder;
  const std::string text = many_packets(200);
  for (const std::string& bytes : {text, gzip(text), zstd(text)}) {
    PointTable points;
    auto file = CaptureFile::open(folder.write("a", bytes), points);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->progress().total, bytes.size());
    RawPacket packet;
    while (file->next(packet) == Status::kPacket) file->release();
    EXPECT_EQ(file->progress().read, bytes.size());
  }
}

TEST(CaptureFile, AnErrorIsSaidOnce) {
  const Folder folder;
  PointTable points;
  auto file = CaptureFile::open(folder.write("a.pcap", pcap_header() + "cut"), points);
  ASSERT_TRUE(file);
  RawPacket packet;
  EXPECT_EQ(file->next(packet), Status::kError);
  EXPECT_EQ(file->next(packet), Status::kEnd);
  EXPECT_TRUE(file->error());
}

}  // namespace
}  // namespace weir::capture
