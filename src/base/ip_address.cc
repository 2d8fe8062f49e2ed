#include "base/ip_address.h"

#include <arpa/inet.h>

namespace weir {

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const auto octets = address.wire();
  inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), text, sizeof text);
  return text;
}

}  // namespace weir
