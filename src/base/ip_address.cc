#include "base/ip_address.h"

#include <arpa/inet.h>

namespace weir {

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const auto octets = address.wire();
  inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), text, sizeof text);
  return text;
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  const std::string zero_ended(text);
  std::array<std::byte, 16> octets{};
  if (inet_pton(AF_INET, zero_ended.c_str(), octets.data()) == 1) return IpAddress::v4(std::span(octets).first<4>());
  if (inet_pton(AF_INET6, zero_ended.c_str(), octets.data()) == 1) return IpAddress::v6(octets);
  return std::nullopt;
}

}  // namespace weir
