#include "capture/merged_captures.h"

#include <gmock/gmock.h>

#include "capture/crafted_test.h"

namespace weir::capture {
namespace {

using namespace crafted;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(MergedCaptures, InOrderOfTimeThenOfTheCommandLine) {
  const Folder folder;
  const auto a = folder.write("a.pcap", pcap_header() + pcap_record("a1", 1) + pcap_record("a3", 3) + pcap_record("a5", 5));
  const auto b =
      folder.write("b.pcap.gz", gzip(pcap_header(true) + pcap_record("b1", 1, 0, true) + pcap_record("b2", 2, 0, true) + pcap_record("b5", 5, 0, true)));
  const auto c = folder.write("c.pcapng", section() + interface() + enhanced("c0", 0) + enhanced("c3", 3'000'000));
  EXPECT_THAT(bytes_of(read_all({a, b, c})), ElementsAre("c0", "a1", "b1", "b2", "a3", "c3", "a5", "b5"));
  EXPECT_THAT(bytes_of(read_all({c, b, a})), ElementsAre("c0", "b1", "a1", "b2", "c3", "a3", "b5", "a5"));
  EXPECT_THAT(read_all({c, b, a}).points, ElementsAre("c", "b", "a"));
}

TEST(MergedCaptures, AFilesOwnOrderIsKept) {
  const Folder folder;
  const auto a = folder.write("a.pcap", pcap_header() + pcap_record("a9", 9) + pcap_record("a1", 1) + pcap_record("a2", 2));
  const auto b = folder.write("b.pcap", pcap_header() + pcap_record("b3", 3) + pcap_record("b9", 9));
  EXPECT_THAT(bytes_of(read_all({a, b})), ElementsAre("b3", "a9", "a1", "a2", "b9"));
  EXPECT_THAT(bytes_of(read_all({a})), ElementsAre("a9", "a1", "a2"));
}

TEST(MergedCaptures, StreamedBytesStayForTheWholeBatch) {
  const Folder folder;
  std::vector<std::string> paths;
  std::vector<std::string> expected;
  std::string texts[3] = {pcap_header(), pcap_header(), pcap_header()};
  for (std::uint32_t i = 0; i < 900; ++i) {
    const std::string data = std::to_string(i) + std::string(i * 7919 % 9000, static_cast<char>('a' + i % 26));
    texts[i % 3] += pcap_record(data, i);
    expected.push_back(data);
  }
  for (int i = 0; i < 3; ++i) paths.push_back(folder.write(std::to_string(i) + ".pcap", i == 1 ? zstd(texts[i]) : gzip(texts[i])));
  for (const std::size_t batch : {1, 2, 64, 900}) EXPECT_EQ(bytes_of(read_all(paths, batch)), expected) << batch;
}

TEST(MergedCaptures, ABadFileCostsTheOthersNothing) {
  const Folder folder;
  const auto good = folder.write("good.pcap", pcap_header() + pcap_record("good", 1));
  const auto cut = folder.write("cut.pcap", pcap_header() + pcap_record("cut", 2) + "rest");
  const auto text = folder.write("text.pcap", "this is no capture at all");
  const auto got = read_all({text, cut, good, folder.path() + "/none.pcap"});
  EXPECT_THAT(bytes_of(got), ElementsAre("good", "cut"));
  ASSERT_THAT(got.errors, SizeIs(3));
  EXPECT_EQ(got.errors[0].file, text);
  EXPECT_EQ(got.errors[1].file, cut);
  EXPECT_THAT(got.errors[2].what, HasSubstr("cannot be opened"));
  EXPECT_EQ(got.packets[0].point, "good");
}

TEST(MergedCaptures, NothingToRead) {
  EXPECT_THAT(read_all({}).packets, IsEmpty());
  EXPECT_THAT(read_all({"/nonexistent"}).errors, SizeIs(1));
}

}  // namespace
}  // namespace weir::capture
