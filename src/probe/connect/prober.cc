#include "probe/connect/prober.h"

#include <linux/mptcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "capture/clock.h"
#include "probe/connect/kernel_counters.h"

namespace weir::probe::connect {
namespace {

constexpr int kProtocolMptcp = 262;  // IPPROTO_MPTCP
constexpr int kLevelMptcp = 284;     // SOL_MPTCP
constexpr int kWaitMs = 10;
constexpr std::size_t kEvents = 64;

socklen_t socket_address(const Target& target, sockaddr_storage& out) {
  const auto octets = target.address.wire();
  if (octets.size() == 4) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(target.port);
    std::memcpy(&v4->sin_addr, octets.data(), octets.size());
    return sizeof(sockaddr_in);
  }
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(target.port);
  std::memcpy(&v6->sin6_addr, octets.data(), octets.size());
  return sizeof(sockaddr_in6);
}

}  // namespace

Prober::Prober(const ProberSettings& settings, Next next, Found found)
    : settings_(settings),
      next_(std::move(next)),
      found_(std::move(found)),
      rate_(settings.connections_per_second, 1),
      networks_(settings.network_connections_per_second, 0),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      attempts_(settings.in_flight) {}

Prober::~Prober() {
  for (Attempt& attempt : attempts_) close(attempt);
  if (poll_ >= 0) ::close(poll_);
}

std::vector<std::uint64_t> Prober::unfinished() const {
  std::vector<std::uint64_t> numbers;
  for (const Attempt& attempt : attempts_)
    if (attempt.used) numbers.push_back(attempt.numbered.number);
  return numbers;
}

End Prober::run(const std::function<bool()>& stop) {
  disabled_before_ = disabled_syns();
  std::array<epoll_event, kEvents> events{};
  while (!ended_) {
    if (stop()) return End::kStopped;
    const TimeNs now = capture::steady_ns();
    while (!ended_ && begin(now)) {
    }
    const int count = ::epoll_wait(poll_, events.data(), kEvents, kWaitMs);
    const TimeNs then = capture::steady_ns();
    for (int i = 0; i < count && !ended_; ++i) on_ready(events[static_cast<std::size_t>(i)].data.u64, then);
    for (std::size_t at = 0; at < attempts_.size() && !ended_; ++at)
      if (attempts_[at].used && attempts_[at].descriptor >= 0 && attempts_[at].due_ns <= then) on_due(at);
    if (all_begun_ && used_ == 0) return End::kDone;
  }
  return *ended_;
}

/// One more connection; false: not now.
bool Prober::begin(TimeNs now) {
  if (!rate_.allows(now)) return false;
  if (!put_off_.empty() && put_off_.top().due_ns <= now) {
    const std::size_t at = put_off_.top().at;
    put_off_.pop();
    rate_.spend(now);
    return open(at, now);
  }
  if (!again_.empty()) {
    const std::size_t at = again_.front();
    again_.pop_front();
    return begin(at, now);
  }
  const auto free = std::ranges::find(attempts_, false, &Attempt::used);
  if (all_begun_ || free == attempts_.end()) return false;
  const auto numbered = next_();
  if (!numbered) {
    all_begun_ = true;
    return false;
  }
  *free = Attempt{};
  free->numbered = *numbered;
  free->used = true;
  ++used_;
  return begin(static_cast<std::size_t>(free - attempts_.begin()), now);
}

/// Now, or when the target's network may have it.
bool Prober::begin(std::size_t at, TimeNs now) {
  const TimeNs due = networks_.reserve(attempts_[at].numbered.target.address, now, 1);
  if (due > now) {
    put_off_.push({.due_ns = due, .at = at});
    return true;
  }
  rate_.spend(now);
  return open(at, now);
}

bool Prober::open(std::size_t at, TimeNs now) {
  Attempt& attempt = attempts_[at];
  sockaddr_storage address{};
  const socklen_t size = socket_address(attempt.numbered.target, address);
  ++attempt.tries;
  attempt.connected = false;
  attempt.begun_ns = now;
  attempt.due_ns = now + settings_.timeout_ns;
  attempt.descriptor = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, kProtocolMptcp);
  if (attempt.descriptor < 0) {
    if (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT || errno == EINVAL) {
      ended_ = End::kNoMptcp;
    } else {
      finish(at, {.why = {}, .error = errno});
    }
    return false;
  }
  if (::connect(attempt.descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0 && errno != EINPROGRESS) {
    finish(at, {.why = {}, .error = errno});
    return true;
  }
  epoll_event event{.events = EPOLLOUT | EPOLLONESHOT, .data = {.u64 = at}};
  ::epoll_ctl(poll_, EPOLL_CTL_ADD, attempt.descriptor, &event);
  return true;
}

void Prober::on_ready(std::size_t at, TimeNs now) {
  Attempt& attempt = attempts_[at];
  if (attempt.descriptor < 0 || attempt.connected) return;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(attempt.descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  attempt.rtt_ns = now - attempt.begun_ns;
  if (error != 0) return finish(at, {.why = {}, .error = error});
  attempt.connected = true;
  Details details;
  read_kernel(attempt.descriptor, details);
  if (details.fallback) return finish(at, details);
  attempt.due_ns = now + settings_.grace_ns;
}

void Prober::on_due(std::size_t at) {
  const Attempt& attempt = attempts_[at];
  Details details{.why = {}, .error = ETIMEDOUT};
  if (attempt.connected) read_kernel(attempt.descriptor, details);
  finish(at, details);
}

void Prober::read_kernel(int descriptor, Details& details) {
  details.connected = true;
  details.error = 0;
  mptcp_info info{};
  socklen_t size = sizeof info;
  // Without MPTCP any more the kernel may not know the option at all.
  if (::getsockopt(descriptor, kLevelMptcp, MPTCP_INFO, &info, &size) != 0) {
    details.fallback = true;
  } else {
    details.fallback = (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK) != 0;
    details.remote_key = (info.mptcpi_flags & MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED) != 0;
    details.subflows = info.mptcpi_subflows;
    details.addresses_accepted = info.mptcpi_add_addr_accepted;
  }
  tcp_info tcp{};
  size = sizeof tcp;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &tcp, &size) == 0) details.retransmits = tcp.tcpi_total_retrans;
}

void Prober::close(Attempt& attempt) {
  if (attempt.descriptor >= 0) ::close(attempt.descriptor);
  attempt.descriptor = -1;
}

void Prober::finish(std::size_t at, Details details) {
  Attempt& attempt = attempts_[at];
  close(attempt);
  const Verdict verdict = judge(details);
  // A connection without MPTCP says something of the target only as long as the kernel asks for MPTCP at all.
  if (details.connected && details.fallback && disabled_before_ && disabled_syns().value_or(0) > *disabled_before_) {
    ended_ = End::kDisabled;
    return;
  }
  if (details.why == "syn_lost" && attempt.tries < settings_.tries) return again_.push_back(at);
  pass(at, verdict, details);
}

void Prober::pass(std::size_t at, Verdict verdict, const Details& details) {
  Attempt& attempt = attempts_[at];
  Finding finding;
  finding.target = attempt.numbered.target;
  finding.verdict = verdict;
  finding.rtt_ns = details.connected && details.retransmits == 0 ? attempt.rtt_ns : 0;
  attempt.used = false;
  --used_;
  ++findings_;
  found_(attempt.numbered, finding, details);
}

}  // namespace weir::probe::connect
