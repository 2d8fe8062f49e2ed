#include "capture/sent_flow.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cstddef>
#include <span>

namespace weir::capture {
namespace {

const nlattr* find(const nlattr* nest, std::uint16_t type) {
  const auto* each = static_cast<const nlattr*>(mnl_attr_get_payload(nest));
  int left = mnl_attr_get_payload_len(nest);
  while (mnl_attr_ok(each, left)) {
    if (mnl_attr_get_type(each) == type) return each;
    left -= MNL_ALIGN(each->nla_len);
    each = mnl_attr_next(each);
  }
  return nullptr;
}

std::optional<std::uint16_t> port(const nlattr* nest, std::uint16_t type) {
  const nlattr* const found = find(nest, type);
  if (found == nullptr || mnl_attr_get_payload_len(found) != sizeof(std::uint16_t)) return std::nullopt;
  return ntohs(mnl_attr_get_u16(found));
}

std::optional<IpAddress> address(const nlattr* nest, std::uint16_t v4, std::uint16_t v6) {
  const nlattr* found = find(nest, v4);
  if (found != nullptr && mnl_attr_get_payload_len(found) == 4)
    return IpAddress::v4(std::span<const std::byte, 4>(static_cast<const std::byte*>(mnl_attr_get_payload(found)), 4));
  found = find(nest, v6);
  if (found != nullptr && mnl_attr_get_payload_len(found) == 16)
    return IpAddress::v6(std::span<const std::byte, 16>(static_cast<const std::byte*>(mnl_attr_get_payload(found)), 16));
  return std::nullopt;
}

}  // namespace

std::optional<Endpoints> sent_flow(const nlattr* conntrack, std::uint32_t info) {
  const nlattr* const tuple = find(conntrack, info < IP_CT_IS_REPLY ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY);
  if (tuple == nullptr) return std::nullopt;
  const nlattr* const ip = find(tuple, CTA_TUPLE_IP);
  const nlattr* const protocol = find(tuple, CTA_TUPLE_PROTO);
  if (ip == nullptr || protocol == nullptr) return std::nullopt;
  const auto src = address(ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC), dst = address(ip, CTA_IP_V4_DST, CTA_IP_V6_DST);
  const auto src_port = port(protocol, CTA_PROTO_SRC_PORT), dst_port = port(protocol, CTA_PROTO_DST_PORT);
  if (!src || !dst || !src_port || !dst_port) return std::nullopt;
  return Endpoints{.src = *src, .dst = *dst, .src_port = *src_port, .dst_port = *dst_port};
}

}  // namespace weir::capture
