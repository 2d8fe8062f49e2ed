#include "inspect/apps/dns.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/ip_address.h"

namespace weir::inspect::apps {
namespace {

constexpr std::size_t kHeader = 12, kLongestName = 255, kMostAnswers = 64;
constexpr int kMostPointers = 64;

std::string type_name(std::uint16_t type) {
  static constexpr std::pair<std::uint16_t, std::string_view> kTypes[] = {{1, "A"},     {2, "NS"},     {5, "CNAME"}, {6, "SOA"},  {12, "PTR"},
                                                                          {15, "MX"},   {16, "TXT"},   {28, "AAAA"}, {33, "SRV"}, {43, "DS"},
                                                                          {64, "SVCB"}, {65, "HTTPS"}, {255, "ANY"}};
  for (const auto& [number, name] : kTypes) {
    if (number == type) return std::string(name);
  }
  return fmt::format("TYPE{}", type);
}

std::string rcode_name(unsigned code) {
  static constexpr std::string_view kNames[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                                "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
  return code < std::size(kNames) ? std::string(kNames[code]) : fmt::format("RCODE{}", code);
}

/// The name at `at`, which moves behind it; pointers lead elsewhere in the message (RFC 1035 §4.1.4).
std::optional<std::string> name_at(Bytes message, std::size_t& at) {
  std::string out;
  std::size_t here = at;
  bool jumped = false;
  for (int pointers = 0;;) {
    if (here >= message.size()) return std::nullopt;
    const auto length = std::to_integer<std::size_t>(message[here]);
    if (length >= 0xc0) {
      if (here + 1 >= message.size() || ++pointers > kMostPointers) return std::nullopt;
      const std::size_t to = (length & 0x3fU) << 8U | std::to_integer<std::size_t>(message[here + 1]);
      if (!jumped) at = here + 2;
      jumped = true;
      here = to;
      continue;
    }
    if (length >= 0x40) return std::nullopt;
    ++here;
    if (length == 0) break;
    if (here + length > message.size() || out.size() + length + 1 > kLongestName) return std::nullopt;
    if (!out.empty()) out += '.';
    for (const std::size_t end = here + length; here < end; ++here) {
      const char octet = static_cast<char>(message[here]);
      if (octet == '.' || octet == '\\') out += '\\';  // RFC 1035 §5.1: else one label would look like two
      out += octet;
    }
    if (out.size() > kLongestName) return std::nullopt;
  }
  if (!jumped) at = here;
  return out;
}

std::string data_text(Bytes message, std::size_t at, std::size_t size, std::uint16_t type) {
  const Bytes data = message.subspan(at, size);
  if (type == 1 && size == 4) return to_string(IpAddress::v4(data.first<4>()));
  if (type == 28 && size == 16) return to_string(IpAddress::v6(data.first<16>()));
  if (type == 2 || type == 5 || type == 12) return name_at(message, at).value_or("");
  if (type == 15 && size > 2) {
    at += 2;
    return name_at(message, at).value_or("");
  }
  if (type == 16 && size > 0) {
    const std::size_t length = std::min(size - 1, std::to_integer<std::size_t>(data[0]));
    return {reinterpret_cast<const char*>(data.data() + 1), length};
  }
  return {};
}

constexpr std::uint16_t kA = 1, kAaaa = 28, kSvcb = 64, kHttps = 65;
constexpr std::size_t kMostAddresses = 16;  // of one answer

/// The address hints of SVCB and HTTPS: priority, target, then parameters by number (RFC 9460 §2.2, §7.3).
std::vector<IpAddress> hints_of(Bytes message, std::size_t at, std::size_t size) {
  constexpr std::uint16_t kIpv4Hint = 4, kIpv6Hint = 6;
  std::vector<IpAddress> out;
  const std::size_t end = at + size;
  at += 2;
  if (at > end || !name_at(message, at) || at > end) return out;
  ByteReader in(message.subspan(at, end - at));
  while (in.remaining() >= 4) {
    const std::uint16_t key = in.u16();
    const Bytes value = in.take(in.u16());
    if (!in.ok()) break;
    ByteReader list(value);
    while (key == kIpv4Hint && out.size() < kMostAddresses && list.remaining() >= 4) out.push_back(IpAddress::v4(*list.take<4>()));
    while (key == kIpv6Hint && out.size() < kMostAddresses && list.remaining() >= 16) out.push_back(IpAddress::v6(*list.take<16>()));
  }
  return out;
}

std::vector<IpAddress> addresses_of(Bytes message, std::size_t at, std::size_t size, std::uint16_t type) {
  const Bytes data = message.subspan(at, size);
  if (type == kA && size == 4) return {IpAddress::v4(data.first<4>())};
  if (type == kAaaa && size == 16) return {IpAddress::v6(data.first<16>())};
  if (type == kSvcb || type == kHttps) return hints_of(message, at, size);
  return {};
}

}  // namespace

std::optional<DnsRecord> parse_dns(std::span<const std::byte> message) {
  ByteReader r(message);
  DnsRecord out;
  out.id = r.u16();
  out.flags = r.u16();
  const std::uint16_t questions = r.u16();
  const std::uint16_t answers = r.u16();
  r.skip(4);
  if (!r.ok() || questions != 1) return std::nullopt;
  out.response = (out.flags & 0x8000U) != 0;
  out.rcode = rcode_name(out.flags & 0xfU);
  std::size_t at = kHeader;
  const auto name = name_at(message, at);
  if (!name || at + 4 > message.size()) return std::nullopt;
  out.name = *name;
  out.type = type_name(ByteReader(message.subspan(at)).u16());
  at += 4;
  for (std::size_t i = 0; i < std::min<std::size_t>(answers, kMostAnswers); ++i) {
    const auto owner = name_at(message, at);
    if (!owner || at + 10 > message.size()) break;
    ByteReader head(message.subspan(at));
    const std::uint16_t type = head.u16();
    head.skip(2);
    const std::uint32_t ttl_s = head.u32();
    const std::size_t size = head.u16();
    at += 10;
    if (at + size > message.size()) break;
    out.answers.push_back({*owner, type_name(type), data_text(message, at, size, type), ttl_s, addresses_of(message, at, size, type)});
    at += size;
  }
  return out;
}

void Dns::data(const ApplicationSettings& settings, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, TimeNs now, Sink& sink) {
  Side& s = sides_[index(d)];
  if (s.done) return;
  s.rest.insert(s.rest.end(), bytes.begin(), bytes.end());
  const std::uint64_t end = offset + bytes.size();
  std::size_t at = 0;
  while (s.rest.size() - at >= 2) {
    const std::size_t size = ByteReader(std::span<const std::byte>(s.rest).subspan(at)).u16();
    if (s.rest.size() - at < 2 + size) break;
    auto record = parse_dns(std::span<const std::byte>(s.rest).subspan(at + 2, size));
    if (!record) {
      s.done = true;
      break;
    }
    record->time_ns = now;
    record->transaction = messages_++;
    const std::uint64_t first = end - (s.rest.size() - at);
    at += 2 + size;
    sink.on_dns(*record);
    if (!settings.rules || record->response) continue;
    Transaction t;
    t.number = record->transaction;
    t.part(Buffer::kDnsQuery) = {std::as_bytes(std::span(record->name)), {d, first, first + 2 + size}, true};
    sink.on_stage(Stage::kDnsQuery, t, now);
  }
  s.rest.erase(s.rest.begin(), s.rest.begin() + static_cast<std::ptrdiff_t>(at));
  if (s.done) s.rest = {};
}

}  // namespace weir::inspect::apps
