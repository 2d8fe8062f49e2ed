#include "gateway/raw_sender.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::gateway {
namespace {

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kIpv4Destination = 16, kIpv6Destination = 24;

int open_one(int family, std::uint32_t mark) {
  const int descriptor = ::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (descriptor < 0) return -1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
  return descriptor;
}

}  // namespace

std::expected<std::unique_ptr<RawSender>, std::string> RawSender::open(std::uint32_t mark, std::uint32_t untracked_mark) {
  const int v4 = open_one(AF_INET, mark);
  if (v4 < 0) return std::unexpected(std::string("no raw socket: ") + std::strerror(errno));
  // A machine may have no IPv6.
  return std::unique_ptr<RawSender>(
      new RawSender({.v4 = v4, .v6 = open_one(AF_INET6, mark)}, {.v4 = open_one(AF_INET, untracked_mark), .v6 = open_one(AF_INET6, untracked_mark)}));
}

RawSender::~RawSender() {
  for (const int each : {tracked_.v4, tracked_.v6, untracked_.v4, untracked_.v6}) {
    if (each >= 0) ::close(each);
  }
}

void RawSender::send(std::span<const std::byte> packet, bool untracked) {
  const Sockets& out = untracked ? untracked_ : tracked_;
  ssize_t taken = -1;
  if (packet.size() >= kIpv4Header && std::to_integer<unsigned>(packet[0]) >> 4U == 4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, packet.data() + kIpv4Destination, sizeof to.sin_addr);
    taken = ::sendto(out.v4, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  } else if (packet.size() >= kIpv6Header && out.v6 >= 0) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    std::memcpy(&to.sin6_addr, packet.data() + kIpv6Destination, sizeof to.sin6_addr);
    taken = ::sendto(out.v6, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  ++(taken < 0 ? failed_ : sent_);
}

}  // namespace weir::gateway
