#include "track/address_scope.h"

namespace weir::track {

bool is_private(const IpAddress& address) {
  const auto o = address.wire();
  if (o.size() == 4) {
    return o[0] == 10 || (o[0] == 172 && (o[1] & 0xf0U) == 16) || (o[0] == 192 && o[1] == 168)  // RFC 1918
           || (o[0] == 169 && o[1] == 254)                                                      // link-local, RFC 3927
           || o[0] == 127;                                                                      // loopback
  }
  const bool unique_local = (o[0] & 0xfeU) == 0xfc;                // RFC 4193
  const bool link_local = o[0] == 0xfe && (o[1] & 0xc0U) == 0x80;  // RFC 4291 §2.5.6
  bool loopback = o[15] == 1;
  for (std::size_t i = 0; i < 15; ++i) loopback = loopback && o[i] == 0;
  return unique_local || link_local || loopback;
}

bool is_global(const IpAddress& address) {
  if (is_private(address)) return false;
  const auto o = address.wire();
  if (o.size() == 4) {
    const bool shared = o[0] == 100 && (o[1] & 0xc0U) == 64;  // RFC 6598
    return !shared && o[0] != 0 && o[0] < 224;
  }
  bool unspecified = true;
  for (const auto octet : o) unspecified = unspecified && octet == 0;
  return !unspecified && o[0] != 0xff;
}

}  // namespace weir::track
