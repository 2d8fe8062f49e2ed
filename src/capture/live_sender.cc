#include "capture/live_sender.h"

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace weir::capture {

SendCounters& SendCounters::operator+=(const SendCounters& more) {
  packets += more.packets;
  bytes += more.bytes;
  dropped += more.dropped;
  interface_down += more.interface_down;
  refused += more.refused;
  return *this;
}

LiveSender::LiveSender(int descriptor, bool device, std::shared_ptr<const std::atomic<unsigned>> number)
    : descriptor_(descriptor), device_(device), number_(std::move(number)) {}

LiveSender::LiveSender(LiveSender&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      device_(other.device_),
      number_(std::move(other.number_)),
      octets_(std::move(other.octets_)),
      ends_(std::exchange(other.ends_, {})),
      counters_(other.counters_) {}

LiveSender::~LiveSender() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::span<const std::byte> LiveSender::frame(std::size_t i) const {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::span(octets_).subspan(begin, ends_[i] - begin);
}

void LiveSender::send(std::span<const std::byte> frame) {
  if (ends_.size() == kFrames || octets_.size() + frame.size() > kBytes) flush();
  octets_.insert(octets_.end(), frame.begin(), frame.end());
  ends_.push_back(octets_.size());
}

void LiveSender::flush() {
  if (ends_.empty()) return;
  if (device_) {
    write_device();
  } else {
    send_packets();
  }
  octets_.clear();
  ends_.clear();
}

bool LiveSender::count_failure(std::size_t i, int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      ++counters_.dropped;
      return false;
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
    case EIO:     // a TAP interface that is down
    case EBADFD:  // and one that was removed
      counters_.interface_down += ends_.size() - i;
      return true;
    default:
      ++counters_.refused;
      return false;
  }
}

void LiveSender::send_packets() {
  // Through the queueing discipline, not around it: what goes around it is hidden from those who listen on this very interface.
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(number_->load(std::memory_order_relaxed));
  std::array<iovec, kFrames> parts{};
  std::array<mmsghdr, kFrames> messages{};
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    const auto octets = frame(i);
    parts[i] = {.iov_base = const_cast<std::byte*>(octets.data()), .iov_len = octets.size()};
    messages[i].msg_hdr.msg_name = &to;
    messages[i].msg_hdr.msg_namelen = sizeof to;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t i = 0; i < ends_.size();) {
    const int sent = ::sendmmsg(descriptor_, &messages[i], static_cast<unsigned>(ends_.size() - i), MSG_DONTWAIT);
    if (sent > 0) {
      for (const std::size_t end = i + static_cast<std::size_t>(sent); i < end; ++i) {
        ++counters_.packets;
        counters_.bytes += parts[i].iov_len;
      }
    } else if (errno != EINTR) {
      if (count_failure(i, errno)) return;
      ++i;
    }
  }
}

void LiveSender::write_device() {
  for (std::size_t i = 0; i < ends_.size();) {
    const auto octets = frame(i);
    if (::write(descriptor_, octets.data(), octets.size()) >= 0) {
      ++counters_.packets;
      counters_.bytes += octets.size();
      ++i;
    } else if (errno != EINTR) {
      if (count_failure(i, errno)) return;
      ++i;
    }
  }
}

}  // namespace weir::capture
