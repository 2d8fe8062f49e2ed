#include "probe/raw/route.h"

#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

namespace weir::probe::raw {
namespace {

constexpr std::size_t kBuffer = 8 << 10;

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
      if (mnl_attr_get_payload_len(attribute) >= sizeof(std::uint32_t)) route.interface_number = mnl_attr_get_u32(attribute);
      break;
    case RTA_GATEWAY:
      route.gateway = address_of(attribute);
      break;
    case RTA_PREFSRC:
      route.source = address_of(attribute);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

int read_route(const nlmsghdr* message, void* into) {
  if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_OK;
  return mnl_attr_parse(message, sizeof(rtmsg), read_attribute, into);
}

struct CloseSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

/// The netmask's bits, and those that an IPv4 address has before it in an IpAddress.
std::optional<OnLink> net_of(const ifaddrs& one) {
  if (one.ifa_addr == nullptr || one.ifa_netmask == nullptr) return std::nullopt;
  if (one.ifa_addr->sa_family == AF_INET) {
    const auto* const address = reinterpret_cast<const sockaddr_in*>(one.ifa_addr);
    const auto* const mask = reinterpret_cast<const sockaddr_in*>(one.ifa_netmask);
    return OnLink{.address = IpAddress::v4(std::as_bytes(std::span<const in_addr, 1>(&address->sin_addr, 1))),
                  .bits = 96 + static_cast<unsigned>(std::popcount(mask->sin_addr.s_addr))};
  }
  if (one.ifa_addr->sa_family != AF_INET6) return std::nullopt;
  const auto* const address = reinterpret_cast<const sockaddr_in6*>(one.ifa_addr);
  const auto* const mask = reinterpret_cast<const sockaddr_in6*>(one.ifa_netmask);
  OnLink net{.address = IpAddress::v6(std::as_bytes(std::span<const in6_addr, 1>(&address->sin6_addr, 1))), .bits = 0};
  for (const std::uint8_t octet : mask->sin6_addr.s6_addr) net.bits += static_cast<unsigned>(std::popcount(octet));
  return net;
}

}  // namespace

std::expected<Route, int> route_to(const IpAddress& target) {
  const std::unique_ptr<mnl_socket, CloseSocket> socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected(errno);
  alignas(nlmsghdr) std::array<char, kBuffer> buffer{};
  nlmsghdr* const header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_GETROUTE;
  header->nlmsg_flags = NLM_F_REQUEST;
  header->nlmsg_seq = 1;
  auto* const message = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)));
  const auto octets = target.wire();
  message->rtm_family = octets.size() == 4 ? AF_INET : AF_INET6;
  message->rtm_dst_len = static_cast<unsigned char>(octets.size() * 8);
  mnl_attr_put(header, RTA_DST, octets.size(), octets.data());
  if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) return std::unexpected(errno);
  const ssize_t size = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
  if (size < 0) return std::unexpected(errno);
  Route route;
  if (mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), 1, mnl_socket_get_portid(socket.get()), read_route, &route) < 0) return std::unexpected(errno);
  std::array<char, IF_NAMESIZE> name{};
  if (route.interface_number == 0 || ::if_indextoname(route.interface_number, name.data()) == nullptr) return std::unexpected(ENETUNREACH);
  route.interface = name.data();
  return route;
}

std::vector<OnLink> nets_of(const std::string& interface) {
  std::vector<OnLink> nets;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return nets;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next)
    if (interface == one->ifa_name)
      if (const auto net = net_of(*one)) nets.push_back(*net);
  ::freeifaddrs(all);
  return nets;
}

bool is_within(const IpAddress& address, const OnLink& net) {
  if (address.is_v4() != net.address.is_v4()) return false;
  for (unsigned bit = 0; bit < net.bits; bit += 8) {
    const unsigned rest = net.bits - bit;
    const auto mask = static_cast<std::uint8_t>(rest >= 8 ? 0xff : 0xff << (8 - rest));
    if (((address.octets[bit / 8] ^ net.address.octets[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace weir::probe::raw
