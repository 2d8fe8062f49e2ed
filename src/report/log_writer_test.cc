#include "report/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

namespace weir::report {
namespace {

using namespace std::chrono_literals;

template <typename Condition>
bool within(std::chrono::milliseconds time, Condition&& condition) {
  for (const auto until = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < until;) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return condition();
}

/// A collector: listens, and reads when it is told to.
class Collector {
 public:
  explicit Collector(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    std::filesystem::remove(path);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
  }
  ~Collector() { hang_up(), ::close(listener_); }
  bool accept(std::chrono::milliseconds time = 5s) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(time.count())) == 1) connection_ = ::accept(listener_, nullptr, nullptr);
    return connection_ >= 0;
  }
  /// Up to `bytes`; less: nothing more came for a while.
  std::string read(std::size_t bytes, std::chrono::milliseconds pause = 5s) {
    std::string got;
    pollfd waiting{connection_, POLLIN, 0};
    while (got.size() < bytes && ::poll(&waiting, 1, static_cast<int>(pause.count())) == 1) {
      char piece[65'536];
      const ssize_t count = ::read(connection_, piece, std::min(sizeof piece, bytes - got.size()));
      if (count <= 0) break;
      got.append(piece, static_cast<std::size_t>(count));
    }
    return got;
  }
  void hang_up() {
    if (connection_ >= 0) ::close(connection_);
    connection_ = -1;
  }

 private:
  int listener_ = -1, connection_ = -1;
};

class LogWriterTest : public testing::Test {
 protected:
  LogWriterTest() : folder_(testing::TempDir() + "log_writer." + std::to_string(::getpid())) { std::filesystem::create_directories(folder_); }
  ~LogWriterTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::unique_ptr<LogWriter> open(LogSettings settings) {
    auto writer = LogWriter::open(settings, [this](auto what, auto why, auto hint) {
      const std::scoped_lock lock(mutex_);
      said_.push_back(std::string(what) + ": " + std::string(why) + " (" + std::string(hint) + ")");
    });
    EXPECT_TRUE(writer) << writer.error().why;
    (*writer)->start();
    return *std::move(writer);
  }
  static std::string line(int number, std::size_t size = 0) {
    std::string text = "{\"line\":" + std::to_string(number) + ",\"pad\":\"";
    if (text.size() + 3 < size) text.append(size - text.size() - 3, 'x');
    return text + "\"}\n";
  }
  /// All whole lines, none torn, in order.
  static std::vector<int> numbers(const std::string& text) {
    std::vector<int> found;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      const std::string one = text.substr(at, end == std::string::npos ? end : end + 1 - at);
      EXPECT_TRUE(one.starts_with("{\"line\":") && one.ends_with("\"}\n")) << one.substr(0, 40) << " ... " << one.size();
      if (one.size() > 8) found.push_back(std::atoi(one.c_str() + 8));
      if (end == std::string::npos) break;
      at = end + 1;
    }
    EXPECT_TRUE(std::ranges::is_sorted(found));
    return found;
  }
  std::vector<std::string> said() {
    const std::scoped_lock lock(mutex_);
    return said_;
  }

 private:
  std::string folder_;
  std::mutex mutex_;
  std::vector<std::string> said_;
};

TEST_F(LogWriterTest, LinesOfSeveralThreadsReachEveryPlaceWhole) {
  const auto writer = open({.places = {path("a"), path("b")}});
  std::vector<std::thread> shards;
  for (int shard = 0; shard < 4; ++shard) {
    shards.emplace_back([&writer, shard] {
      for (int i = 0; i < 500; ++i) writer->submit(line(shard * 1000 + i) + line(shard * 1000 + i), 2);
    });
  }
  for (auto& shard : shards) shard.join();
  ASSERT_TRUE(within(5s, [&] { return writer->counters().lines_written == 8'000; }));
  EXPECT_EQ(writer->counters().queued_bytes, 0U);
  EXPECT_EQ(writer->close(1s), 0U);
  for (const char* name : {"a", "b"}) {
    const std::string text = content(path(name));
    EXPECT_EQ(std::ranges::count(text, '\n'), 4'000);
    EXPECT_EQ(text.size(), content(path("a")).size());
  }
  EXPECT_TRUE(said().empty());
}

TEST_F(LogWriterTest, ALineIsThereAtOnce) {
  const auto writer = open({.places = {path("log")}});
  writer->submit(line(1), 1);
  EXPECT_TRUE(within(200ms, [&] { return content(path("log")) == line(1); }));
}

TEST_F(LogWriterTest, WhatOthersLeftTornIsEndedFirst) {
  std::ofstream(path("log")) << "{\"torn\":";
  const auto writer = open({.places = {path("log")}});
  writer->submit(line(1), 1);
  EXPECT_EQ(writer->close(1s), 0U);
  EXPECT_EQ(content(path("log")), "{\"torn\":\n" + line(1));
}

TEST_F(LogWriterTest, AFileThatCanNeverBeWrittenIsAnErrorAtTheStart) {
  const auto writer = LogWriter::open({.places = {path("none/log")}}, {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().why, "No such file or directory");
}

TEST_F(LogWriterTest, AFileMovedAwayIsBegunAgain) {
  const auto writer = open({.places = {path("log")}});
  writer->submit(line(1), 1);
  ASSERT_TRUE(within(5s, [&] { return writer->counters().lines_written == 1; }));
  std::filesystem::rename(path("log"), path("moved"));
  writer->reopen();
  ASSERT_TRUE(within(5s, [&] { return std::filesystem::exists(path("log")); }));
  writer->submit(line(2), 1);
  EXPECT_EQ(writer->close(1s), 0U);
  EXPECT_EQ(content(path("moved")), line(1));
  EXPECT_EQ(content(path("log")), line(2));
}

TEST_F(LogWriterTest, FilesArePutAsideBySize) {
  const auto writer = open({.places = {path("log")}, .rotation = {.bytes = 1'000, .keep = 2}});
  std::string all;
  for (int i = 0; i < 50; ++i) all += line(i, 100);
  writer->submit(std::string(all), 50);
  writer->submit(line(50, 3'000), 1);  // longer than a file may be: has one for itself
  writer->submit(line(51, 100), 1);
  ASSERT_TRUE(within(5s, [&] { return writer->counters().lines_written == 52; }));
  EXPECT_EQ(writer->counters().rotations, 6U);
  EXPECT_EQ(writer->close(1s), 0U);
  EXPECT_EQ(content(path("log")), line(51, 100));
  EXPECT_EQ(content(path("log.1")), line(50, 3'000));
  EXPECT_EQ(numbers(content(path("log.2"))), (std::vector<int>{40, 41, 42, 43, 44, 45, 46, 47, 48, 49}));
  EXPECT_FALSE(std::filesystem::exists(path("log.3")));
}

TEST_F(LogWriterTest, AFileThatMayNotGrowStaysWholeAndGoesOn) {
  // RLIMIT_FSIZE stands in for a full disk here: the write that reaches it is cut, the next one fails. (A full tmpfs is tried in tests/lab.)
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const auto writer = open({.places = {path("log")}});
  rlimit small = before;
  small.rlim_cur = 1'050;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 20; ++i) writer->submit(line(i, 100), 1);
  EXPECT_TRUE(within(5s, [&] { return writer->counters().errors > 0; }));
  EXPECT_TRUE(within(1s, [&] { return !writer->troubles().empty(); }));
  EXPECT_EQ(numbers(content(path("log"))).size(), 10U);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(within(5s, [&] { return writer->counters().lines_written == 20; }));
  EXPECT_TRUE(within(5s, [&] { return writer->troubles().empty(); }));
  EXPECT_EQ(writer->counters().lines_lost, 0U);
  EXPECT_EQ(writer->counters().bytes_written, 2'000U);
  EXPECT_EQ(writer->close(1s), 0U);
  EXPECT_EQ(numbers(content(path("log"))).size(), 20U);
  ASSERT_EQ(said().size(), 2U);
  EXPECT_NE(said()[0].find("File too large"), std::string::npos);
  EXPECT_NE(said()[1].find("is written again (0 lines were lost)"), std::string::npos);
}

TEST_F(LogWriterTest, ACollectorThatComesLater) {
  const auto writer = open({.places = {"unix:" + path("socket")}});
  writer->submit(line(1), 1);
  EXPECT_EQ(writer->troubles().size(), 1U);
  Collector collector(path("socket"));
  ASSERT_TRUE(collector.accept());
  EXPECT_EQ(collector.read(line(1).size()), line(1));
  EXPECT_TRUE(within(1s, [&] { return writer->troubles().empty(); }));
  EXPECT_EQ(writer->counters().lines_lost, 0U);
}

TEST_F(LogWriterTest, ACollectorThatStallsLosesCountedLinesAndDelaysNoOne) {
  Collector collector(path("socket"));
  const auto writer = open({.places = {"unix:" + path("socket"), path("log")}, .queue_bytes = 1 << 20});
  ASSERT_TRUE(collector.accept());
  constexpr int kLines = 4'000;
  for (int i = 0; i < kLines; ++i) {
    writer->submit(line(i, 1'000), 1);
    if (i % 500 != 0) continue;  // as fast as the file takes them: it loses none
    ASSERT_TRUE(within(5s, [&] { return std::filesystem::file_size(path("log")) == (static_cast<std::size_t>(i) + 1) * 1'000; }));
  }
  EXPECT_TRUE(within(5s, [&] { return content(path("log")).size() == kLines * 1'000U; }));
  EXPECT_EQ(numbers(content(path("log"))).size(), static_cast<std::size_t>(kLines));
  const std::uint64_t lost = writer->counters().lines_lost;
  EXPECT_GT(lost, 0U);
  EXPECT_TRUE(within(1s, [&] { return said().size() == 1; }));
  const std::string got = collector.read((kLines - lost) * 1'000);
  EXPECT_EQ(numbers(got).size(), kLines - lost);
  EXPECT_TRUE(within(2s, [&] { return said().size() == 2; }));
  writer->submit(line(kLines), 1);
  EXPECT_EQ(collector.read(line(kLines).size()), line(kLines));
  EXPECT_TRUE(within(1s, [&] { return writer->counters().lines_written + writer->counters().lines_lost == 2U * (kLines + 1); }));
}

TEST_F(LogWriterTest, ACollectorThatGoesAwayGetsWholeLinesFromTheNextConnectionOn) {
  Collector collector(path("socket"));
  const auto writer = open({.places = {"unix:" + path("socket")}});
  ASSERT_TRUE(collector.accept());
  constexpr int kLines = 50;
  for (int i = 0; i < kLines; ++i) writer->submit(line(i, 100'000), 1);  // more than a socket holds: a line is under way
  EXPECT_EQ(collector.read(150'000).size(), 150'000U);
  collector.hang_up();
  ASSERT_TRUE(collector.accept());
  const auto rest = numbers(collector.read(kLines * 100'000, 500ms));
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest.back(), kLines - 1);
  EXPECT_EQ(writer->counters().lines_lost, 1U) << "the one that was under way";
  EXPECT_EQ(writer->counters().lines_written, kLines - 1U);
}

TEST_F(LogWriterTest, TheEndIsInTimeWhoeverStalls) {
  Collector collector(path("socket"));
  const auto writer = open({.places = {"unix:" + path("socket")}});
  ASSERT_TRUE(collector.accept());
  for (int i = 0; i < 50; ++i) writer->submit(line(i, 100'000), 1);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_GT(writer->close(300ms), 40U);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  EXPECT_FALSE(said().empty());
}

TEST_F(LogWriterTest, ANamedPipeWaitsForItsReader) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const auto writer = open({.places = {path("pipe")}});
  writer->submit(line(1), 1);
  EXPECT_EQ(writer->troubles().size(), 1U);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  char got[256];
  ssize_t count = 0;
  EXPECT_TRUE(within(5s, [&] { return (count = ::read(reader, got, sizeof got)) > 0; }));
  EXPECT_EQ(std::string(got, static_cast<std::size_t>(std::max<ssize_t>(count, 0))), line(1));
  ::close(reader);
}

}  // namespace
}  // namespace weir::report
