// Digests in hexadecimal digits.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace weir::inspect::apps {

/// `between`: an octet to stand between the octets' digits, or nothing.
inline std::string hex_digits(std::span<const unsigned char> octets, std::string_view between = {}, bool upper = false) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string text;
  for (const unsigned char octet : octets) {
    if (!text.empty()) text += between;
    text += digits[octet >> 4U];
    text += digits[octet & 15U];
  }
  return text;
}

inline std::string digest(const EVP_MD* kind, const void* bytes, std::size_t size, std::string_view between = {}) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  EVP_Digest(bytes, size, out.data(), &length, kind, nullptr);
  return hex_digits(std::span(out).first(length), between);
}
inline std::string digest(const EVP_MD* kind, std::string_view text) { return digest(kind, text.data(), text.size()); }

}  // namespace weir::inspect::apps
