#include "inspect/apps/detect.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/bytes.h"

namespace weir::inspect::apps {
namespace {

constexpr auto kMethods = std::to_array<std::string_view>(
    {"GET ",  "POST ", "HEAD ",   "PUT ",    "OPTIONS ", "DELETE ",   "CONNECT ", "PATCH ",     "TRACE ",  "PROPFIND ", "PROPPATCH ",   "MKCOL ",       "COPY ",
     "MOVE ", "LOCK ", "UNLOCK ", "SEARCH ", "REPORT ",  "CHECKOUT ", "MERGE ",   "SUBSCRIBE ", "NOTIFY ", "M-SEARCH ", "RPC_IN_DATA ", "RPC_OUT_DATA "});

enum class Fit : std::uint8_t { kNo, kMaybe, kYes };

Fit begins(std::string_view text, std::string_view with) {
  const std::size_t n = std::min(text.size(), with.size());
  if (text.substr(0, n) != with.substr(0, n)) return Fit::kNo;
  return n == with.size() ? Fit::kYes : Fit::kMaybe;
}

Fit http(Direction d, std::string_view text) {
  if (d == Direction::kToClient) return begins(text, "HTTP/1.");
  Fit best = Fit::kNo;
  for (const std::string_view method : kMethods) best = std::max(best, begins(text, method));
  return best;
}

// A handshake record (RFC 8446 §5.1) that begins with a hello.
Fit tls(Direction d, Bytes first) {
  const auto octet = [&](std::size_t i) { return std::to_integer<unsigned>(first[i]); };
  if (octet(0) != 22) return Fit::kNo;
  if (first.size() > 1 && octet(1) != 3) return Fit::kNo;
  if (first.size() > 2 && octet(2) > 4) return Fit::kNo;
  if (first.size() < 6) return Fit::kMaybe;
  return octet(5) == (d == Direction::kToServer ? 1U : 2U) ? Fit::kYes : Fit::kNo;
}

// Length, id, flags, counts (RFC 1035 §4.1.1): one question, a plain operation, and a length that holds them.
Fit dns(Direction d, Bytes first) {
  if (first.size() < 14) return Fit::kMaybe;
  ByteReader r(first);
  const std::uint16_t length = r.u16();
  r.skip(2);
  const std::uint16_t flags = r.u16();
  const std::uint16_t questions = r.u16();
  const std::uint16_t answers = r.u16();
  const bool response = (flags & 0x8000U) != 0;
  const bool fits =
      length >= 17 && questions == 1 && (flags & 0x7800U) == 0 && (flags & 0x40U) == 0 && response == (d == Direction::kToClient) && (response || answers == 0);
  return fits ? Fit::kYes : Fit::kNo;
}

}  // namespace

AppProtocol detect(Direction d, std::span<const std::byte> first) {
  if (first.empty()) return AppProtocol::kUnknown;
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  const Fit fits[] = {http(d, text), tls(d, first), dns(d, first)};
  if (fits[0] == Fit::kYes) return AppProtocol::kHttp;
  if (fits[1] == Fit::kYes) return AppProtocol::kTls;
  if (fits[2] == Fit::kYes) return AppProtocol::kDns;
  return std::ranges::find(fits, Fit::kMaybe) != std::end(fits) ? AppProtocol::kUnknown : AppProtocol::kFailed;
}

}  // namespace weir::inspect::apps
