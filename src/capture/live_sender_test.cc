#include "capture/live_sender.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace weir::capture {
namespace {

std::vector<std::byte> frame(std::size_t octets, std::uint8_t value) { return std::vector<std::byte>(octets, std::byte{value}); }

/// What a TAP interface is to its owner: one write, one frame; here with a reader who can be slow.
class LiveSenderTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_.data()), 0); }
  void TearDown() override { ::close(ends_[1]); }
  LiveSender sender() { return LiveSender(ends_[0], true, std::make_shared<const std::atomic<unsigned>>(0U)); }
  std::size_t read() {
    std::array<std::byte, 65'536> into;
    const ssize_t size = ::read(ends_[1], into.data(), into.size());
    return size < 0 ? 0 : static_cast<std::size_t>(size);
  }

  std::array<int, 2> ends_{};
};

TEST_F(LiveSenderTest, FramesGoWholeAndInOrderWhenFlushed) {
  LiveSender out = sender();
  out.send(frame(60, 1));
  out.send(frame(1'514, 2));
  EXPECT_EQ(read(), 0U);
  out.flush();
  EXPECT_EQ(read(), 60U);
  EXPECT_EQ(read(), 1'514U);
  EXPECT_EQ(out.counters().packets, 2U);
  EXPECT_EQ(out.counters().bytes, 1'574U);
  out.flush();
  EXPECT_EQ(read(), 0U);
}

TEST_F(LiveSenderTest, AFullBatchGoesByItself) {
  LiveSender out = sender();
  for (std::size_t i = 0; i <= LiveSender::kFrames; ++i) out.send(frame(60, 1));
  EXPECT_EQ(out.counters().packets, LiveSender::kFrames);
}

TEST_F(LiveSenderTest, AReaderWhoDoesNotReadCostsFramesAndNoTime) {
  LiveSender out = sender();
  constexpr std::size_t kMany = 10'000;
  for (std::size_t i = 0; i < kMany; ++i) out.send(frame(1'514, 1));
  out.flush();
  EXPECT_GT(out.counters().dropped, 0U);
  EXPECT_EQ(out.counters().packets + out.counters().dropped, kMany);
  std::size_t got = 0;
  while (read() > 0) ++got;
  EXPECT_EQ(got, out.counters().packets);
  out.send(frame(60, 1));
  out.flush();
  EXPECT_EQ(read(), 60U) << "it goes on when there is room";
}

TEST(LiveSender, AnInterfaceThatIsNotThereIsCounted) {
  const int descriptor = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) GTEST_SKIP() << "packet sockets need CAP_NET_RAW";
  LiveSender out(descriptor, false, std::make_shared<const std::atomic<unsigned>>(0x7ffffff0U));
  for (int i = 0; i < 3; ++i) out.send(frame(60, 1));
  out.flush();
  EXPECT_EQ(out.counters().interface_down, 3U);
}

}  // namespace
}  // namespace weir::capture
