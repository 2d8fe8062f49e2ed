#include "probe/targets/target_text.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace weir::probe::targets {
namespace {

constexpr std::size_t kLongestName = 253, kLongestLabel = 63;  // RFC 1035 section 2.3.4

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::expected<std::string, std::string> parse_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kLongestName) return std::unexpected("a name has 1 to 253 octets");
  std::string name;
  std::size_t label = 0;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
      return std::unexpected("is no name, address or prefix (names in other scripts: in their xn-- form)");
    if (c == '.' ? label == 0 : ++label > kLongestLabel) return std::unexpected("is no name: a label has 1 to 63 octets");
    if (c == '.') label = 0;
    name += letter ? static_cast<char>(c | 0x20) : c;
  }
  // What has digits alone in its last label is an address that is none.
  const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
  if (std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; })) return std::unexpected("is no address");
  return name;
}

/// The host of a URL and its port, as a target.
std::string instead_of_url(std::string_view url) {
  const std::string_view scheme = url.substr(0, url.find("://"));
  std::string_view host = url.substr(scheme.size() + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  const std::size_t colon = host.rfind(':'), bracket = host.rfind(']');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (host.empty()) return "HOST:PORT";
  return std::string(host) + (has_port ? "" : scheme == "https" ? ":443" : scheme == "http" ? ":80" : ":PORT");
}

/// "::1:80": in the net of IPv4-compatible addresses (RFC 4291 section 2.5.5.1), which no host has, and with something where a port would be.
bool may_end_in_port(const IpAddress& address) {
  const auto& o = address.octets;
  return std::ranges::all_of(std::span(o).first<12>(), [](std::uint8_t octet) { return octet == 0; }) && (o[12] != 0 || o[13] != 0);
}

}  // namespace

std::expected<Prefix, std::string> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::unexpected("is no address or prefix");
  Prefix prefix{.address = *address};
  if (slash == std::string_view::npos) return prefix;
  const auto bits = parse_number<unsigned>(text.substr(slash + 1));
  const unsigned family = address->is_v4() ? 32 : 128;
  if (!bits || *bits > family) return std::unexpected("a prefix has a length from 0 to " + std::to_string(family));
  prefix.bits = 128 - family + *bits;
  prefix.address = first_of(prefix.address, prefix.bits);
  return prefix;
}

IpAddress first_of(IpAddress address, unsigned bits) {
  for (unsigned bit = bits; bit < 128; ++bit) address.octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  return address;
}

std::string to_string(const Prefix& prefix) {
  const bool v4 = prefix.address.is_v4() && prefix.bits >= 96;
  return weir::to_string(prefix.address) + "/" + std::to_string(v4 ? prefix.bits - 96 : prefix.bits);
}

std::expected<TargetText, std::string> parse_target(std::string_view text) {
  if (text.find("://") != std::string_view::npos) return std::unexpected("is a URL: write " + instead_of_url(text));
  TargetText target;
  std::string_view host = text, port;
  bool bracketed = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::unexpected("has a [ without its ]");
    host = text.substr(1, end - 1);
    bracketed = true;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return std::unexpected("has something other than :PORT behind the ]");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return std::unexpected("has a : without a port");
  } else if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return std::unexpected("has a : without a port");
  }
  if (!port.empty()) {
    target.port = parse_number<std::uint16_t>(port);
    if (!target.port || *target.port == 0) return std::unexpected("a port is a number from 1 to 65535");
  }
  if (const auto address = parse_ip_address(host); address && !bracketed && may_end_in_port(*address))
    return std::unexpected("could be an address with a port or without: write [ADDRESS]:PORT, or [ADDRESS]");
  if (bracketed || host.find('/') != std::string_view::npos || parse_ip_address(host)) {
    const auto prefix = parse_prefix(host);
    if (!prefix) return std::unexpected(prefix.error());
    target.prefix = *prefix;
    return target;
  }
  auto name = parse_name(host);
  if (!name) return std::unexpected(name.error());
  target.name = *std::move(name);
  return target;
}

std::vector<ListLine> list_lines(std::string_view text) {
  std::vector<ListLine> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    line = line.substr(0, line.find('#'));
    constexpr std::string_view kBlank = " \t\r";
    const std::size_t begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) continue;
    line = line.substr(begin);
    lines.push_back({number, line.substr(0, line.find_first_of(kBlank))});
  }
  return lines;
}

}  // namespace weir::probe::targets
