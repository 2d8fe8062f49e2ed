// Sends the packets of a capture into an interface at a bounded rate: weir_bench_send IFACE CAPTURE MBIT_A_SECOND. For namespaces of one's own.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "capture/capture_file.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBurst = 64;  // packets a call

int failed(const char* what) {
  std::fprintf(stderr, "weir_bench_send: %s: %s\n", what, std::strerror(errno));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: weir_bench_send IFACE CAPTURE MBIT_A_SECOND\n", stderr);
    return 2;
  }
  weir::capture::PointTable points;
  auto file = weir::capture::CaptureFile::open(argv[2], points);
  if (!file) {
    std::fprintf(stderr, "weir_bench_send: %s\n", to_string(file.error()).c_str());
    return 1;
  }
  std::vector<std::vector<std::byte>> packets;
  for (weir::RawPacket packet; file->next(packet) == weir::capture::Status::kPacket;) packets.emplace_back(packet.bytes.begin(), packet.bytes.end());

  const int out = ::socket(AF_PACKET, SOCK_RAW, 0);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(::if_nametoindex(argv[1]));
  if (out < 0 || to.sll_ifindex == 0 || ::bind(out, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return failed(argv[1]);
  const double bytes_a_second = std::atof(argv[3]) * 1e6 / 8;
  if (bytes_a_second <= 0) return 2;

  const auto began = Clock::now();
  std::uint64_t sent = 0, bytes = 0;
  while (sent < packets.size()) {
    std::array<mmsghdr, kBurst> messages{};
    std::array<iovec, kBurst> pieces{};
    const std::size_t count = std::min(kBurst, packets.size() - sent);
    for (std::size_t i = 0; i < count; ++i) {
      pieces[i] = {packets[sent + i].data(), packets[sent + i].size()};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int done = ::sendmmsg(out, messages.data(), static_cast<unsigned>(count), 0);
    if (done < 0) {
      if (errno == ENOBUFS || errno == EINTR) continue;
      return failed("sendmmsg");
    }
    for (int i = 0; i < done; ++i) bytes += pieces[static_cast<std::size_t>(i)].iov_len;
    sent += static_cast<std::uint64_t>(done);
    std::this_thread::sleep_until(began +
                                  std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(static_cast<double>(bytes) / bytes_a_second)));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::printf("%llu %llu %.3f\n", static_cast<unsigned long long>(sent), static_cast<unsigned long long>(bytes), seconds);
  ::close(out);
  return 0;
}
