// What two hosts derive from their keys. Written apart from src/track on purpose: the simulator is its second opinion.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/ip_address.h"

namespace weir::simulate {

struct Derived {
  std::uint32_t token = 0;
  std::uint64_t idsn = 0;
};
Derived derive(int version, std::uint64_t key);

/// RFC 8684 §3.2: `mine` is the key, and the nonce, of the host that sends the HMAC.
std::array<std::byte, 20> sign_join(int version, std::uint64_t my_key, std::uint64_t other_key, std::uint32_t my_nonce, std::uint32_t other_nonce);

/// RFC 8684 §3.4.1. Port 0: the option has none.
std::uint64_t sign_address(std::uint64_t my_key, std::uint64_t other_key, std::uint8_t id, const IpAddress& address, std::uint16_t port);

}  // namespace weir::simulate
