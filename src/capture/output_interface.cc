#include "capture/output_interface.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::capture {
namespace {

constexpr std::string_view kMark = "made by weir sensor ";  // and its process number
constexpr const char* kPeerSuffix = "-tx";
constexpr int kSendBufferBytes = 4 << 20;  // on hardware, what waits there for the wire; the system's maximum may be less

bool is_name(const std::string& name) { return !name.empty() && name.size() < IFNAMSIZ && name.find_first_of("/ \t\n") == std::string::npos && name[0] != '.'; }

/// Of an interface's alias, if a sensor made it: the process that did, or took it over since.
std::optional<pid_t> maker_of(const Link& link) {
  if (!link.alias.starts_with(kMark)) return std::nullopt;
  pid_t process = 0;
  const char* const end = link.alias.data() + link.alias.size();
  const auto read = std::from_chars(link.alias.data() + kMark.size(), end, process);
  return read.ec == std::errc() && read.ptr == end ? std::optional(process) : std::nullopt;
}

/// Whether that process is there and is such a program as this one: numbers are used again.
bool runs_like_this(pid_t process) {
  if (process == ::getpid() || process <= 0) return false;
  const auto name_of = [](const std::string& of) {
    std::string name;
    std::getline(std::ifstream("/proc/" + of + "/comm"), name);
    return name;
  };
  const std::string name = name_of(std::to_string(process));
  return !name.empty() && name == name_of("self");
}

/// Best effort: a container may have no writable /proc/sys. What the host's own stack would say or take there.
void keep_the_host_out(const std::string& name) {
  const auto set = [&](const std::string& family, const char* key, const char* value) {
    std::ofstream("/proc/sys/net/" + family + "/conf/" + name + "/" + key) << value;
  };
  set("ipv6", "disable_ipv6", "1");
  set("ipv4", "rp_filter", "1");
  set("ipv4", "drop_unicast_in_l2_multicast", "1");
}

}  // namespace

OutputInterface::OutputInterface(OutputSettings settings, LinkControl links)
    : settings_(std::move(settings)), links_(std::move(links)), sends_on_(settings_.name) {}

OutputInterface::~OutputInterface() {
  if (tap_ >= 0) ::close(tap_);
  if (made_ == 0) return;
  // Only the very one: another may have taken the name since.
  if (const auto link = links_.find(settings_.name); link && link->number == made_) links_.remove(made_);
}

std::unexpected<Error> OutputInterface::failed(std::string what, int error) const {
  std::string hint;
  if (error == EPERM || error == EACCES) hint = settings_.create == CreateLink::kNone ? "CAP_NET_RAW is needed" : "CAP_NET_ADMIN is needed";
  return std::unexpected(Error{.file = settings_.name, .offset = 0, .what = std::move(what) + ": " + std::strerror(error), .hint = std::move(hint)});
}

std::unexpected<Error> OutputInterface::refused(std::string what, std::string hint) const {
  return std::unexpected(Error{.file = settings_.name, .offset = 0, .what = std::move(what), .hint = std::move(hint)});
}

std::expected<std::unique_ptr<OutputInterface>, Error> OutputInterface::open(const OutputSettings& settings) {
  auto links = LinkControl::open();
  if (!links) return std::unexpected(Error{.file = settings.name, .offset = 0, .what = std::string("no netlink: ") + std::strerror(links.error()), .hint = {}});
  std::unique_ptr<OutputInterface> out(new OutputInterface(settings, std::move(*links)));
  if (!is_name(settings.name)) return out->refused("an interface's name has 1 to 15 octets", {});
  if (std::ranges::count(settings.captured, settings.name) > 0)
    return out->refused("is captured on as well: what is sent there would come back", "name another interface");

  auto link = out->links_.find(settings.name);
  if (!link && link.error() != ENODEV) return out->failed("cannot be looked up", link.error());
  const bool tap_of_others = link && settings.create == CreateLink::kTap && link->kind == "tun";
  if (!link && settings.create == CreateLink::kNone)
    return out->refused("no such interface",
                        "ip link add " + settings.name + " type dummy && ip link set " + settings.name + " up, or have it made: --normalise-create dummy");
  if (!link || tap_of_others) {
    auto made = out->make();
    if (!made) return std::unexpected(made.error());
    link = *made;
  } else if (const auto maker = maker_of(*link); maker && settings.create != CreateLink::kNone) {
    if (runs_like_this(*maker)) return out->refused("belongs to the sensor that runs as process " + std::to_string(*maker), "name another interface");
    // A run that was killed left it.
    out->made_ = link->number;
    if (link->kind == "veth") {
      out->sends_on_ = settings.name + kPeerSuffix;
      const auto peer = out->links_.find(out->sends_on_);
      if (!peer) return out->failed("its other end, " + out->sends_on_ + ", cannot be looked up", peer.error());
      link = *peer;
    }
    if (const int error = out->links_.change(settings.name, 0, std::string(kMark) + std::to_string(::getpid())); error != 0)
      return out->failed("cannot be taken over", error);
  }
  if (const auto right = out->check(*link); !right) return std::unexpected(right.error());
  out->mtu_bytes_ = link->mtu_bytes;
  out->number_->store(link->number);
  return out;
}

std::expected<Link, Error> OutputInterface::make() {
  if (settings_.create == CreateLink::kTap) return make_tap();
  const bool veth = settings_.create == CreateLink::kVeth;
  const std::string peer = settings_.name + kPeerSuffix;
  if (veth && !is_name(peer)) return refused("its other end would be " + peer + ", which is too long a name", "a name of at most 12 octets");
  const int error = veth ? links_.make_veth(settings_.name, peer, settings_.mtu_bytes) : links_.make_dummy(settings_.name, settings_.mtu_bytes);
  if (error == EOPNOTSUPP) return refused(veth ? "this kernel has no veth interfaces" : "this kernel has no dummy interfaces", "tap needs only /dev/net/tun");
  if (error != 0) return failed("cannot be made", error);
  const auto link = links_.find(settings_.name);
  if (!link) return failed("is gone as soon as it was made", link.error());
  made_ = link->number;
  if (!veth) return bring_up(settings_.name);
  if (auto up = bring_up(settings_.name); !up) return up;
  sends_on_ = peer;
  return bring_up(peer);
}

std::expected<Link, Error> OutputInterface::make_tap() {
  tap_ = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (tap_ < 0) return failed("/dev/net/tun cannot be opened", errno);
  ifreq request{};
  std::memcpy(request.ifr_name, settings_.name.data(), settings_.name.size());
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tap_, TUNSETIFF, &request) != 0) return failed("cannot be made a TAP interface", errno);
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  request.ifr_mtu = static_cast<int>(settings_.mtu_bytes);
  const bool set = socket >= 0 && ::ioctl(socket, SIOCSIFMTU, &request) == 0;
  const int error = errno;
  if (socket >= 0) ::close(socket);
  if (!set) return failed("its MTU cannot be set", error);
  return bring_up(settings_.name);
}

std::expected<Link, Error> OutputInterface::bring_up(const std::string& name) {
  keep_the_host_out(name);
  if (const int error = links_.change(name, IFF_UP | IFF_NOARP, std::string(kMark) + std::to_string(::getpid())); error != 0)
    return failed(name + " cannot be brought up", error);
  const auto link = links_.find(name);
  if (!link) return failed(name + " is gone as soon as it was made", link.error());
  return *link;
}

std::expected<void, Error> OutputInterface::check(const Link& link) {
  if ((link.flags & IFF_LOOPBACK) != 0) return refused("is a loopback interface: this machine would take the packets for its own", "a dummy interface");
  if (link.hardware != ARPHRD_ETHER) return refused("is no Ethernet interface", "a dummy, TAP or veth interface");
  if (link.mtu_bytes < kLeastMtu)
    return refused("its MTU of " + std::to_string(link.mtu_bytes) + " octets is too small", "at least " + std::to_string(kLeastMtu));
  for (const std::string& name : settings_.captured) {
    const auto other = links_.find(name);
    if (!other) continue;
    if (other->number == link.number || other->number == link.below || other->below == link.number || other->number == link.master ||
        other->master == link.number)
      return refused("what is sent there would come back by " + name + ", which is captured on", "name another interface");
  }
  return {};
}

std::expected<LiveSender, Error> OutputInterface::sender() const {
  if (tap_ >= 0) {
    const int copy = ::fcntl(tap_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return failed("cannot be sent on", errno);
    return LiveSender(copy, true, number_);
  }
  // Protocol 0: it receives nothing.
  const int descriptor = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return failed("cannot be sent on", errno);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  return LiveSender(descriptor, false, number_);
}

OutputInterface::Change OutputInterface::look_after() {
  const auto link = links_.find(sends_on_);
  if (!link) {
    if (link.error() != ENODEV) return Change::kNone;
    return std::exchange(away_, true) ? Change::kNone : Change::kGone;
  }
  if (tap_ >= 0 && away_) return Change::kNone;  // another of that name: not this descriptor's
  // One that came instead must be as good as the first: else it is as if it were still away.
  if (link->number != number_->load(std::memory_order_relaxed)) {
    if (link->mtu_bytes < mtu_bytes_ || !check(*link)) return std::exchange(away_, true) ? Change::kNone : Change::kGone;
    number_->store(link->number, std::memory_order_relaxed);
    away_ = false;
    return Change::kBack;
  }
  return std::exchange(away_, false) ? Change::kBack : Change::kNone;
}

}  // namespace weir::capture
