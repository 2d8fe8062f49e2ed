// What the keys of a connection give: tokens, initial data sequence numbers, HMACs (RFC 8684 §3.1, §3.2, §3.4.1; RFC 6824).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ip_address.h"

namespace weir::track {

/// The version decides the hash: SHA-1 for v0, SHA-256 for v1.
struct KeyDigest {
  std::uint32_t token = 0;  ///< first 4 octets of H(key)
  std::uint64_t idsn = 0;   ///< last 8 octets of H(key)
};
KeyDigest digest_key(std::uint64_t key, std::uint8_t version);

using JoinHmac = std::array<std::byte, 20>;

/// Leftmost 20 octets of HMAC(first_key || second_key, first_nonce || second_nonce). Third ACK of a JOIN: the opener's key and
/// nonce first. SYN/ACK: the other's first, and only the leftmost 8 octets travel.
JoinHmac join_hmac(std::uint8_t version, std::uint64_t first_key, std::uint64_t second_key, std::uint32_t first_nonce, std::uint32_t second_nonce);

/// Leftmost 64 bits, as the SYN/ACK carries them.
std::uint64_t leftmost_64(const JoinHmac& hmac);

/// v1 ADD_ADDR: rightmost 64 bits of HMAC-SHA256(sender's key || receiver's key, ID || address || port).
std::uint64_t add_addr_hmac(std::uint64_t sender_key, std::uint64_t receiver_key, std::uint8_t address_id, const IpAddress& address, std::uint16_t port);

}  // namespace weir::track
