#include "secrets.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <vector>

namespace weir::simulate {
namespace {

using Octets = std::vector<unsigned char>;

void put(Octets& out, std::uint64_t value, int octets) {
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) out.push_back(static_cast<unsigned char>(value >> shift));
}

std::uint64_t get(const unsigned char* in, int octets) {
  std::uint64_t value = 0;
  for (int i = 0; i < octets; ++i) value = value << 8U | in[i];
  return value;
}

struct Digest {
  unsigned char octets[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
};

Digest sign(const EVP_MD* hash, const Octets& key, const Octets& message) {
  Digest out;
  HMAC(hash, key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.octets, &out.size);
  return out;
}

const EVP_MD* hash_of(int version) { return version == 0 ? EVP_sha1() : EVP_sha256(); }

}  // namespace

Derived derive(int version, std::uint64_t key) {
  Octets in;
  put(in, key, 8);
  Digest out;
  EVP_Digest(in.data(), in.size(), out.octets, &out.size, hash_of(version), nullptr);
  return {static_cast<std::uint32_t>(get(out.octets, 4)), get(out.octets + out.size - 8, 8)};
}

std::array<std::byte, 20> sign_join(int version, std::uint64_t my_key, std::uint64_t other_key, std::uint32_t my_nonce, std::uint32_t other_nonce) {
  Octets key, message;
  put(key, my_key, 8);
  put(key, other_key, 8);
  put(message, my_nonce, 4);
  put(message, other_nonce, 4);
  const Digest digest = sign(hash_of(version), key, message);
  std::array<std::byte, 20> out{};
  std::transform(digest.octets, digest.octets + out.size(), out.begin(), [](unsigned char c) { return static_cast<std::byte>(c); });
  return out;
}

std::uint64_t sign_address(std::uint64_t my_key, std::uint64_t other_key, std::uint8_t id, const IpAddress& address, std::uint16_t port) {
  Octets key, message;
  put(key, my_key, 8);
  put(key, other_key, 8);
  put(message, id, 1);
  for (const std::uint8_t octet : address.wire()) message.push_back(octet);
  put(message, port, 2);
  const Digest digest = sign(EVP_sha256(), key, message);
  return get(digest.octets + digest.size - 8, 8);
}

}  // namespace weir::simulate
