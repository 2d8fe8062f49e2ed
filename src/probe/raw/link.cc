#include "probe/raw/link.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include "capture/clock.h"
#include "probe/raw/cookie.h"

namespace weir::probe::raw {
namespace {

std::unexpected<capture::Error> failed(const std::string& interface, std::string what, int error) {
  return std::unexpected(capture::Error{.file = interface,
                                        .offset = 0,
                                        .what = std::move(what) + ": " + std::strerror(error),
                                        .hint = error == EPERM || error == EACCES ? "CAP_NET_RAW is needed" : ""});
}

/// TCP to the prober's ports, ARP, ICMP, ICMPv6. IPv6 extension headers are passed over by no server's first answer.
auto answers_filter() {
  constexpr std::uint16_t kHalf = BPF_LD | BPF_H | BPF_ABS, kOctet = BPF_LD | BPF_B | BPF_ABS, kEqual = BPF_JMP | BPF_JEQ | BPF_K;
  return std::array{
      sock_filter BPF_STMT(kHalf, 12),
      sock_filter BPF_JUMP(kEqual, ETH_P_ARP, 15, 0),
      sock_filter BPF_JUMP(kEqual, ETH_P_IPV6, 6, 0),
      sock_filter BPF_JUMP(kEqual, ETH_P_IP, 0, 12),
      sock_filter BPF_STMT(kOctet, 23),
      sock_filter BPF_JUMP(kEqual, IPPROTO_ICMP, 11, 0),
      sock_filter BPF_JUMP(kEqual, IPPROTO_TCP, 0, 9),
      sock_filter BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0),
      sock_filter BPF_STMT(kOctet, 20),  // IPv6
      sock_filter BPF_JUMP(kEqual, IPPROTO_ICMPV6, 6, 0),
      sock_filter BPF_JUMP(kEqual, IPPROTO_TCP, 0, 4),
      sock_filter BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 40),
      sock_filter BPF_STMT(BPF_MISC | BPF_TXA, 0),  // both: X is the length of the IP header
      sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kFirstPort, 2, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, Link::kSnapBytes),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kLastPort, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, Link::kSnapBytes),
  };
}

constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(timespec));

/// When the kernel had the packet, by the wall's clock.
std::optional<TimeNs> time_of(const msghdr& message) {
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SO_TIMESTAMPNS) return std::nullopt;
  timespec time{};
  std::memcpy(&time, CMSG_DATA(header), sizeof time);
  return TimeNs{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::expected<std::unique_ptr<Link>, capture::Error> Link::open(const LinkSettings& settings) {
  std::unique_ptr<Link> link(new Link(settings));
  if (auto started = link->start(); !started) return std::unexpected(started.error());
  return link;
}

Link::~Link() {
  if (receiver_ >= 0) ::close(receiver_);
}

std::expected<void, capture::Error> Link::start() {
  const std::string& name = settings_.interface;
  const unsigned number = ::if_nametoindex(name.c_str());
  if (number == 0) return failed(name, "no such interface", errno);
  // Protocol 0: nothing comes before the filter stands.
  receiver_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (receiver_ < 0) return failed(name, "cannot be listened on", errno);
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min(name.size(), sizeof request.ifr_name - 1));
  if (::ioctl(receiver_, SIOCGIFHWADDR, &request) != 0) return failed(name, "has no address of its own", errno);
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return std::unexpected(capture::Error{.file = name, .offset = 0, .what = "is no Ethernet interface", .hint = "without --raw any will do"});
  std::memcpy(own_.data(), request.ifr_hwaddr.sa_data, own_.size());

  auto filter = answers_filter();
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  if (::setsockopt(receiver_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return failed(name, "takes no filter", errno);
  const int yes = 1, space = kSocketBytes;
  ::setsockopt(receiver_, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  ::setsockopt(receiver_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
  if (::setsockopt(receiver_, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof space) != 0) ::setsockopt(receiver_, SOL_SOCKET, SO_RCVBUF, &space, sizeof space);
  if (!settings_.own.empty()) {
    // Questions for an IPv6 address go to its group, which no one else has joined for us.
    packet_mreq all{};
    all.mr_ifindex = static_cast<int>(number);
    all.mr_type = PACKET_MR_ALLMULTI;
    ::setsockopt(receiver_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
  }
  sockaddr_ll place{};
  place.sll_family = AF_PACKET;
  place.sll_protocol = htons(ETH_P_ALL);
  place.sll_ifindex = static_cast<int>(number);
  if (::bind(receiver_, reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) return failed(name, "cannot be listened on", errno);

  const int out = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (out < 0) return failed(name, "cannot be sent to", errno);
  sender_ = std::make_unique<capture::LiveSender>(out, false, std::make_shared<const std::atomic<unsigned>>(number));
  neighbours_ = std::make_unique<Neighbours>(own_, [this](std::span<const std::byte> frame) { sender_->send(frame); });
  for (const IpAddress& address : settings_.own) neighbours_->answer_for(address);
  space_.resize(kBatch * kSnapBytes);
  return {};
}

void Link::send(std::span<const std::byte> packet, const IpAddress& next_hop, const IpAddress& from, TimeNs now) {
  frame_.resize(kEthernetHeader + packet.size());
  std::ranges::copy(packet, frame_.begin() + kEthernetHeader);
  write_ethernet(frame_, Mac{}, own_, from.is_v4() ? ETH_P_IP : ETH_P_IPV6);
  const Mac* const mac = neighbours_->find(next_hop, from, frame_, now);
  if (mac == nullptr) return;
  std::ranges::copy(*mac, frame_.begin());
  sender_->send(frame_);
}

void Link::flush() {
  sender_->flush();
  const std::uint64_t not_sent = sender_->counters().interface_down;
  if (not_sent != not_sent_) failed_ns_ = capture::steady_ns();
  not_sent_ = not_sent;
}

std::size_t Link::receive(const Take& take) {
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  alignas(cmsghdr) std::array<std::array<std::byte, kControlBytes>, kBatch> control;
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts[i] = {.iov_base = space_.data() + i * kSnapBytes, .iov_len = kSnapBytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_control = control[i].data();
    messages[i].msg_hdr.msg_controllen = kControlBytes;
  }
  const int count = ::recvmmsg(receiver_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (count < 0 && errno == ENETDOWN) failed_ns_ = capture::steady_ns();
  if (count <= 0) return 0;
  const TimeNs now = capture::steady_ns(), since_wall = now - capture::wall_ns();
  for (int i = 0; i < count; ++i) {
    const auto frame = std::span<const std::byte>(space_).subspan(static_cast<std::size_t>(i) * kSnapBytes, messages[static_cast<std::size_t>(i)].msg_len);
    if (frame.size() <= kEthernetHeader || neighbours_->receive(frame)) continue;
    const auto stamped = time_of(messages[static_cast<std::size_t>(i)].msg_hdr);
    take(frame.subspan(kEthernetHeader), stamped ? std::min(now, *stamped + since_wall) : now);
  }
  return static_cast<std::size_t>(count);
}

std::uint64_t Link::dropped() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  if (::getsockopt(receiver_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) dropped_ += stats.tp_drops;
  return dropped_;
}

}  // namespace weir::probe::raw
