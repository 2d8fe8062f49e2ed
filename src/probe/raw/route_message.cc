#include "probe/raw/route_message.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::probe::raw {
namespace {

std::span<const std::byte> payload_of(const nlattr& attribute) {
  return {static_cast<const std::byte*>(mnl_attr_get_payload(&attribute)), mnl_attr_get_payload_len(&attribute)};
}

std::optional<IpAddress> address_of(std::span<const std::byte> octets) {
  switch (octets.size()) {
    case 4:
      return IpAddress::v4(octets.first<4>());
    case 16:
      return IpAddress::v6(octets.first<16>());
    default:
      return std::nullopt;
  }
}

/// Routes and rules alike: both begin with family and length of the destination.
const rtmsg* header_of(const nlmsghdr& message) {
  static_assert(sizeof(rtmsg) == sizeof(fib_rule_hdr) && offsetof(rtmsg, rtm_dst_len) == offsetof(fib_rule_hdr, dst_len));
  static_assert(offsetof(rtmsg, rtm_family) == offsetof(fib_rule_hdr, family));
  static_assert(RTA_DST == static_cast<int>(FRA_DST));
  return mnl_nlmsg_get_payload_len(&message) < sizeof(rtmsg) ? nullptr : static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
}

/// mnl_attr_cb_t
int read_attribute(const nlattr* attribute, void* into) {
  Route& route = *static_cast<Route*>(into);
  const auto payload = payload_of(*attribute);
  switch (mnl_attr_get_type(attribute)) {
    case RTA_OIF:
      if (payload.size() >= sizeof(std::uint32_t)) route.interface = mnl_attr_get_u32(attribute);
      break;
    case RTA_GATEWAY:
      route.gateway = address_of(payload);
      break;
    case RTA_VIA:  // a gateway of the other family
      if (payload.size() == sizeof(rtvia) + 16) route.gateway = address_of(payload.subspan(sizeof(rtvia)));
      break;
    case RTA_PREFSRC:
      route.source = address_of(payload);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

/// mnl_attr_cb_t
int read_destination(const nlattr* attribute, void* into) {
  if (mnl_attr_get_type(attribute) == RTA_DST) *static_cast<std::optional<IpAddress>*>(into) = address_of(payload_of(*attribute));
  return MNL_CB_OK;
}

}  // namespace

std::optional<AnsweredRoute> answered_route(const nlmsghdr& message) {
  const rtmsg* const header = header_of(message);
  if (message.nlmsg_type != RTM_NEWROUTE || header == nullptr) return std::nullopt;
  AnsweredRoute answered{.route = {}, .type = header->rtm_type};
  mnl_attr_parse(&message, sizeof(rtmsg), read_attribute, &answered.route);
  return answered;
}

std::optional<targets::Prefix> destination_of(const nlmsghdr& message) {
  const rtmsg* const header = header_of(message);
  if (header == nullptr || (header->rtm_family != AF_INET && header->rtm_family != AF_INET6)) return std::nullopt;
  const bool v4 = header->rtm_family == AF_INET;
  const unsigned bits = header->rtm_dst_len + (v4 ? 96U : 0U);
  std::optional<IpAddress> address = v4 ? IpAddress::v4(std::array<std::byte, 4>{}) : IpAddress{};
  mnl_attr_parse(&message, sizeof(rtmsg), read_destination, &address);
  if (bits > 128 || !address || (v4 && !address->is_v4())) return std::nullopt;
  return targets::Prefix{.address = targets::first_of(*address, bits), .bits = bits};
}

}  // namespace weir::probe::raw
