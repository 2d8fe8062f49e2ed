#include "track/keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <span>

namespace weir::track {

namespace {

template <typename T>
void put_big_endian(std::span<unsigned char> out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<unsigned char>(value >> (8 * (sizeof(T) - 1 - i)));
}
std::uint64_t get_u64(std::span<const unsigned char> in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8U | in[i];
  return value;
}

}  // namespace

KeyDigest digest_key(std::uint64_t key, std::uint8_t version) {
  std::array<unsigned char, 8> octets{};
  put_big_endian(std::span(octets), key);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  std::size_t size = SHA256_DIGEST_LENGTH;
  if (version == 0) {
    SHA1(octets.data(), octets.size(), digest.data());
    size = SHA_DIGEST_LENGTH;
  } else {
    SHA256(octets.data(), octets.size(), digest.data());
  }
  const std::span<const unsigned char> hash(digest.data(), size);
  return {.token = static_cast<std::uint32_t>(get_u64(hash.first(8)) >> 32U), .idsn = get_u64(hash.last(8))};
}

JoinHmac join_hmac(std::uint8_t version, std::uint64_t first_key, std::uint64_t second_key, std::uint32_t first_nonce, std::uint32_t second_nonce) {
  std::array<unsigned char, 16> key{};
  put_big_endian(std::span(key).first(8), first_key);
  put_big_endian(std::span(key).last(8), second_key);
  std::array<unsigned char, 8> message{};
  put_big_endian(std::span(message).first(4), first_nonce);
  put_big_endian(std::span(message).last(4), second_nonce);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(version == 0 ? EVP_sha1() : EVP_sha256(), key.data(), key.size(), message.data(), message.size(), digest.data(), &size);
  JoinHmac hmac{};
  std::ranges::transform(std::span(digest).first(hmac.size()), hmac.begin(), [](unsigned char c) { return static_cast<std::byte>(c); });
  return hmac;
}

std::uint64_t leftmost_64(const JoinHmac& hmac) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8U | std::to_integer<std::uint64_t>(hmac[i]);
  return value;
}

std::uint64_t add_addr_hmac(std::uint64_t sender_key, std::uint64_t receiver_key, std::uint8_t address_id, const IpAddress& address, std::uint16_t port) {
  std::array<unsigned char, 16> key{};
  put_big_endian(std::span(key).first(8), sender_key);
  put_big_endian(std::span(key).last(8), receiver_key);
  std::array<unsigned char, 1 + 16 + 2> message{};
  const auto octets = address.wire();
  message[0] = address_id;
  std::ranges::copy(octets, message.begin() + 1);
  put_big_endian(std::span(message).subspan(1 + octets.size(), 2), port);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), key.size(), message.data(), 1 + octets.size() + 2, digest.data(), &size);
  return get_u64(std::span<const unsigned char>(digest).subspan(size - 8, 8));
}

}  // namespace weir::track
