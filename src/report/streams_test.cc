#include "report/streams.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace weir::report {
namespace {

using engine::Direction;

class StreamsTest : public testing::Test {
 protected:
  StreamsTest() : directory_(testing::TempDir() + "streams_test." + std::to_string(::getpid())) {}
  ~StreamsTest() override { std::filesystem::remove_all(directory_); }

  static engine::ConnectionInfo connection(std::uint64_t number) {
    engine::ConnectionInfo info;
    info.number = number;
    info.id = "x-" + std::to_string(number);
    return info;
  }
  static void give(StreamExport& out, const engine::ConnectionInfo& info, Direction d, std::uint64_t offset, std::string_view text) {
    out.on_data(info, {d, offset, std::as_bytes(std::span(text)), 0, 0});
  }
  static void end(StreamExport& out, const engine::ConnectionInfo& info) {
    engine::ConnectionRecord record;
    record.info = info;
    out.on_connection(record);
  }
  std::string content(const std::string& name) const {
    std::ifstream file(directory_ + "/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
};

TEST_F(StreamsTest, WritesBothDirectionsAndEmptyFiles) {
  auto out = StreamExport::open(directory_ + "/made/too");
  ASSERT_TRUE(out);
  const auto info = connection(1);
  give(**out, info, Direction::kToServer, 0, "GET ");
  give(**out, info, Direction::kToServer, 4, "/");
  end(**out, info);
  EXPECT_FALSE((*out)->close());
  EXPECT_EQ(content("made/too/x-1.toserver"), "GET /");
  EXPECT_EQ(content("made/too/x-1.toclient"), "");
}

TEST_F(StreamsTest, StopsAtTheFirstGap) {
  auto out = StreamExport::open(directory_);
  const auto info = connection(1);
  give(**out, info, Direction::kToServer, 0, "abc");
  (*out)->on_gap(info, Direction::kToServer, 3, 2, 0);
  give(**out, info, Direction::kToServer, 5, "def");
  give(**out, info, Direction::kToClient, 1, "missing the first");
  end(**out, info);
  EXPECT_EQ(content("x-1.toserver"), "abc");
  EXPECT_EQ(content("x-1.toclient"), "");
}

TEST_F(StreamsTest, ReplacesFilesOfAnEarlierRun) {
  for (const char* text : {"a longer text", "short"}) {
    auto out = StreamExport::open(directory_);
    give(**out, connection(1), Direction::kToServer, 0, text);
    end(**out, connection(1));
  }
  EXPECT_EQ(content("x-1.toserver"), "short");
}

TEST_F(StreamsTest, ManyConnectionsShareFewDescriptors) {
  static constexpr int kConnections = 40, kRounds = 30;
  const std::string piece(5'000, 'x');
  auto out = StreamExport::open(directory_, 4);
  for (int round = 0; round < kRounds; ++round)
    for (int c = 0; c < kConnections; ++c) {
      give(**out, connection(c + 1), Direction::kToServer, static_cast<std::uint64_t>(round) * (piece.size() + 2), piece);
      give(**out, connection(c + 1), Direction::kToServer, static_cast<std::uint64_t>(round) * (piece.size() + 2) + piece.size(), std::to_string(round + 10));
    }
  EXPECT_FALSE((*out)->close());
  std::string whole;
  for (int round = 0; round < kRounds; ++round) whole += piece + std::to_string(round + 10);
  for (int c = 0; c < kConnections; ++c) EXPECT_EQ(content("x-" + std::to_string(c + 1) + ".toserver"), whole);
}

TEST_F(StreamsTest, LargeChunksPassTheBuffer) {
  std::string all;
  auto out = StreamExport::open(directory_);
  for (const std::size_t size : {10UL, StreamExport::kBufferBytes, 3 * StreamExport::kBufferBytes, 1UL}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    give(**out, connection(1), Direction::kToClient, all.size(), piece);
    all += piece;
  }
  end(**out, connection(1));
  EXPECT_EQ(content("x-1.toclient"), all);
}

TEST_F(StreamsTest, WhatCannotBeWrittenIsCountedAndToldOnce) {
  auto out = StreamExport::open(directory_);
  std::filesystem::create_directories(directory_ + "/x-1.toserver");
  std::filesystem::create_directories(directory_ + "/x-2.toserver");
  for (const std::uint64_t number : {1, 2, 3}) {
    give(**out, connection(number), Direction::kToServer, 0, "abc");
    end(**out, connection(number));
  }
  const auto problem = (*out)->close();
  ASSERT_TRUE(problem);
  EXPECT_TRUE(problem->what.ends_with("x-1.toserver")) << problem->what;
  EXPECT_EQ((*out)->failed(), 2U);
  EXPECT_EQ(content("x-3.toserver"), "abc");
}

TEST_F(StreamsTest, ADirectoryThatCannotBeMadeIsAProblem) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ + "/file") << "x";
  EXPECT_FALSE(StreamExport::open(directory_ + "/file"));
  EXPECT_FALSE(StreamExport::open(directory_ + "/file/below"));
}

}  // namespace
}  // namespace weir::report
