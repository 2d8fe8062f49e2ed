#include "probe/raw/route.h"

#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <span>

#include "probe/raw/route_message.h"

namespace weir::probe::raw {
namespace {

constexpr std::size_t kBuffer = 32 << 10;

/// mnl_cb_t: the answer to a question.
int read_answer(const nlmsghdr* message, void* into) {
  if (auto answered = answered_route(*message)) *static_cast<AnsweredRoute*>(into) = *std::move(answered);
  return MNL_CB_OK;
}

/// mnl_cb_t: the next of a dump.
int read_destinations(const nlmsghdr* message, void* into) {
  if (const auto net = destination_of(*message)) static_cast<std::vector<targets::Prefix>*>(into)->push_back(*net);
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
  AnsweredRoute answered;
  if (mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_.get()), read_answer, &answered) < 0)
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
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (size < 0) return std::unexpected(errno);
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_.get()), read_destinations, &into);
    // A family, or rules, that this kernel does not have.
    if (more < 0) return errno == EOPNOTSUPP || errno == EAFNOSUPPORT ? std::expected<void, int>() : std::unexpected(errno);
  }
  return {};
}

std::vector<HostAddress> Routing::addresses() const {
  std::vector<HostAddress> addresses;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next)
    if (auto address = address_of(*one)) addresses.push_back(*std::move(address));
  ::freeifaddrs(all);
  return addresses;
}

std::string Routing::name_of(unsigned interface) const {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(interface, name.data()) != nullptr ? name.data() : "";
}

unsigned Routing::number_of(const std::string& interface) const { return ::if_nametoindex(interface.c_str()); }

}  // namespace weir::probe::raw
