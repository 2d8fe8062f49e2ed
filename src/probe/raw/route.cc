#include "probe/raw/route.h"

#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace weir::probe::raw {
namespace {

constexpr std::size_t kBuffer = 32 << 10;

std::optional<IpAddress> address_of(const nlattr* attribute) {
  const auto* const octets = static_cast<const std::byte*>(mnl_attr_get_payload(attribute));
  switch (mnl_attr_get_payload_len(attribute)) {
    case 4:
      return IpAddress::v4(std::span<const std::byte, 4>(octets, 4));
    case 16:
      return IpAddress::v6(std::span<const std::byte, 16>(octets, 16));
    default:
      return std::nullopt;
  }
}

int read_attribute(const nlattr* attribute, void* into) {
  Route& route = *static_cast<Route*>(into);
  switch (mnl_attr_get_type(attribute)) {
    case RTA_OIF:
      if (mnl_attr_get_payload_len(attribute) >= sizeof(std::uint32_t)) route.interface = mnl_attr_get_u32(attribute);
      break;
    case RTA_GATEWAY:
      route.gateway = address_of(attribute);
      break;
    case RTA_VIA:  // a gateway of the other family
      if (mnl_attr_get_payload_len(attribute) == sizeof(rtvia) + 16)
        route.gateway = IpAddress::v6(std::span<const std::byte, 16>(static_cast<const std::byte*>(mnl_attr_get_payload(attribute)) + sizeof(rtvia), 16));
      break;
    case RTA_PREFSRC:
      route.source = address_of(attribute);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

struct Answered {
  Route route;
  unsigned type = RTN_UNSPEC;
};

int read_route(const nlmsghdr* message, void* into) {
  if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_OK;
  Answered& answered = *static_cast<Answered*>(into);
  answered.type = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message))->rtm_type;
  return mnl_attr_parse(message, sizeof(rtmsg), read_attribute, &answered.route);
}

/// Where a destination of that family and length is to go.
struct Destinations {
  std::vector<targets::Prefix>& nets;
  targets::Prefix net;
};

int read_destination(const nlattr* attribute, void* into) {
  static_assert(RTA_DST == static_cast<int>(FRA_DST));
  if (mnl_attr_get_type(attribute) != RTA_DST) return MNL_CB_OK;
  if (const auto address = address_of(attribute)) static_cast<Destinations*>(into)->net.address = *address;
  return MNL_CB_OK;
}

/// Routes and rules alike: both begin with family and length of the destination.
int read_net(const nlmsghdr* message, void* into) {
  static_assert(sizeof(rtmsg) == sizeof(fib_rule_hdr) && offsetof(rtmsg, rtm_dst_len) == offsetof(fib_rule_hdr, dst_len));
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_OK;
  const auto* const header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  Destinations& all = *static_cast<Destinations*>(into);
  const bool v4 = header->rtm_family == AF_INET;
  all.net = {.address = {}, .bits = header->rtm_dst_len + (v4 ? 96U : 0U)};
  if (v4) all.net.address = IpAddress::v4(std::array<std::byte, 4>{});
  if (mnl_attr_parse(message, sizeof(rtmsg), read_destination, &all) < 0) return MNL_CB_ERROR;
  if (all.net.bits <= 128) all.nets.push_back(all.net);
  return MNL_CB_OK;
}

/// The netmask's bits, and those that an IPv4 address has before it in an IpAddress.
std::optional<HostAddress> address_of(const ifaddrs& one) {
  if (one.ifa_addr == nullptr || one.ifa_netmask == nullptr) return std::nullopt;
  HostAddress net{.interface = one.ifa_name, .loopback = (one.ifa_flags & IFF_LOOPBACK) != 0, .address = {}, .bits = 0};
  if (one.ifa_addr->sa_family == AF_INET) {
    const auto* const address = reinterpret_cast<const sockaddr_in*>(one.ifa_addr);
    const auto* const mask = reinterpret_cast<const sockaddr_in*>(one.ifa_netmask);
    net.address = IpAddress::v4(std::as_bytes(std::span<const in_addr, 1>(&address->sin_addr, 1)));
    net.bits = 96 + static_cast<unsigned>(std::popcount(mask->sin_addr.s_addr));
    return net;
  }
  if (one.ifa_addr->sa_family != AF_INET6) return std::nullopt;
  const auto* const address = reinterpret_cast<const sockaddr_in6*>(one.ifa_addr);
  const auto* const mask = reinterpret_cast<const sockaddr_in6*>(one.ifa_netmask);
  net.address = IpAddress::v6(std::as_bytes(std::span<const in6_addr, 1>(&address->sin6_addr, 1)));
  for (const std::uint8_t octet : mask->sin6_addr.s6_addr) net.bits += static_cast<unsigned>(std::popcount(octet));
  return net;
}

}  // namespace

void Routing::Close::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

std::expected<Routing, int> Routing::open() {
  Routing routing(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!routing.socket_ || mnl_socket_bind(routing.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected(errno);
  return routing;
}

std::expected<Route, int> Routing::route_to(const RouteQuestion& question) {
  // Asked for an interface without a route, the kernel takes every IPv4 address for one on its link. Asked for the route itself, it tells that there is none.
  if (question.interface != 0 && question.target.is_v4())
    if (const auto matched = ask(question, RTM_F_FIB_MATCH); !matched) return matched;
  auto route = ask(question, 0);
  if (route && question.interface != 0 && route->interface != question.interface && !route->here) return std::unexpected(ENETUNREACH);
  return route;
}

std::expected<Route, int> Routing::ask(const RouteQuestion& question, unsigned flags) {
  alignas(nlmsghdr) std::array<char, kBuffer> buffer{};
  nlmsghdr* const header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_GETROUTE;
  header->nlmsg_flags = NLM_F_REQUEST;
  header->nlmsg_seq = ++sequence_;
  auto* const message = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)));
  const auto octets = question.target.wire();
  message->rtm_family = octets.size() == 4 ? AF_INET : AF_INET6;
  message->rtm_dst_len = static_cast<unsigned char>(octets.size() * 8);
  message->rtm_flags = flags;
  mnl_attr_put(header, RTA_DST, octets.size(), octets.data());
  if (question.source) {
    const auto from = question.source->wire();
    message->rtm_src_len = static_cast<unsigned char>(from.size() * 8);
    mnl_attr_put(header, RTA_SRC, from.size(), from.data());
  }
  if (question.interface != 0) mnl_attr_put_u32(header, RTA_OIF, question.interface);
  if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) return std::unexpected(errno);
  const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
  if (size < 0) return std::unexpected(errno);
  Answered answered;
  if (mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_.get()), read_route, &answered) < 0)
    return std::unexpected(errno);
  answered.route.here = answered.type == RTN_LOCAL;
  if (answered.type != RTN_LOCAL && answered.type != RTN_UNICAST) return std::unexpected(ENETUNREACH);
  if (question.source && !answered.route.source) answered.route.source = question.source;
  return answered.route;
}

std::expected<std::vector<targets::Prefix>, int> Routing::destinations() {
  std::vector<targets::Prefix> nets;
  for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}})
    for (const auto type : {std::uint16_t{RTM_GETROUTE}, std::uint16_t{RTM_GETRULE}})
      if (const auto dumped = dump(type, family, nets); !dumped) return std::unexpected(dumped.error());
  return nets;
}

std::expected<void, int> Routing::dump(std::uint16_t type, std::uint8_t family, std::vector<targets::Prefix>& into) {
  alignas(nlmsghdr) std::array<char, kBuffer> buffer{};
  nlmsghdr* const header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = ++sequence_;
  static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)))->rtm_family = family;
  if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) return std::unexpected(errno);
  Destinations all{.nets = into, .net = {}};
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (size < 0) return std::unexpected(errno);
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_.get()), read_net, &all);
    // A family, or rules, that this kernel does not have.
    if (more < 0) return errno == EOPNOTSUPP || errno == EAFNOSUPPORT ? std::expected<void, int>() : std::unexpected(errno);
  }
  return {};
}

std::vector<HostAddress> addresses_of_host() {
  std::vector<HostAddress> addresses;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next)
    if (auto address = address_of(*one)) addresses.push_back(*std::move(address));
  ::freeifaddrs(all);
  return addresses;
}

bool is_within(const IpAddress& address, const HostAddress& net) {
  if (address.is_v4() != net.address.is_v4()) return false;
  for (unsigned bit = 0; bit < net.bits; bit += 8) {
    const unsigned rest = net.bits - bit;
    const auto mask = static_cast<std::uint8_t>(rest >= 8 ? 0xff : 0xff << (8 - rest));
    if (((address.octets[bit / 8] ^ net.address.octets[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace weir::probe::raw
