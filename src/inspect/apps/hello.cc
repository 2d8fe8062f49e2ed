#include "inspect/apps/hello.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/bytes.h"
#include "inspect/apps/digest.h"

namespace weir::inspect::apps {
namespace {

constexpr std::uint16_t kServerName = 0, kGroups = 10, kPointFormats = 11, kSignatures = 13, kAlpn = 16, kPreSharedKey = 41, kSupportedVersions = 43;

/// Values that mean nothing and are there so that others learn to skip them (RFC 8701).
bool is_grease(std::uint16_t value) { return (value & 0x0f0fU) == 0x0a0aU && (value >> 8U) == (value & 0xffU); }

std::vector<std::uint16_t> numbers(Bytes bytes) {
  std::vector<std::uint16_t> out;
  for (ByteReader r(bytes); r.remaining() >= 2;) out.push_back(r.u16());
  return out;
}

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::vector<std::string> protocols(Bytes bytes) {
  std::vector<std::string> out;
  ByteReader r(bytes);
  ByteReader list(r.take(r.u16()));
  while (list.ok() && list.remaining() > 0) out.push_back(text_of(list.take(list.u8())));
  return out;
}

std::string joined(const std::vector<std::uint16_t>& values) {
  std::string out;
  for (const std::uint16_t value : values) {
    if (!is_grease(value)) out += fmt::format("{}{}", out.empty() ? "" : "-", value);
  }
  return out;
}

std::string joined_hex(std::vector<std::uint16_t> values, bool sorted) {
  std::erase_if(values, is_grease);
  if (sorted) std::ranges::sort(values);
  std::string out;
  for (const std::uint16_t value : values) out += fmt::format("{}{:04x}", out.empty() ? "" : ",", value);
  return out;
}

/// A tenth of a SHA-256 is what JA4 keeps; of nothing, zeros.
std::string short_hash(const std::string& text) { return text.empty() ? "000000000000" : digest(EVP_sha256(), text).substr(0, 12); }

}  // namespace

std::optional<ClientHello> parse_client_hello(std::span<const std::byte> body) {
  ByteReader r(body);
  ClientHello h;
  h.version = r.u16();
  r.skip(32);
  r.skip(r.u8());
  h.ciphers = numbers(r.take(r.u16()));
  r.skip(r.u8());
  if (!r.ok()) return std::nullopt;
  if (r.remaining() == 0) return h;
  ByteReader extensions(r.take(r.u16()));
  if (!r.ok()) return std::nullopt;
  while (extensions.ok() && extensions.remaining() > 0) {
    const std::uint16_t type = extensions.u16();
    const Bytes value = extensions.take(extensions.u16());
    if (!extensions.ok()) return std::nullopt;
    h.extensions.push_back(type);
    ByteReader v(value);
    if (type == kServerName) {
      ByteReader list(v.take(v.u16()));
      while (list.ok() && list.remaining() > 0 && h.server_name.empty()) {
        const std::uint8_t kind = list.u8();
        const Bytes name = list.take(list.u16());
        if (!list.ok() || kind != 0) continue;
        h.server_name = text_of(name);
        h.server_name_at = static_cast<std::size_t>(name.data() - body.data());
      }
    } else if (type == kGroups) {
      h.groups = numbers(v.take(v.u16()));
    } else if (type == kPointFormats) {
      for (ByteReader list(v.take(v.u8())); list.remaining() > 0;) h.point_formats.push_back(list.u8());
    } else if (type == kSignatures) {
      h.signatures = numbers(v.take(v.u16()));
    } else if (type == kAlpn) {
      h.alpn = protocols(value);
    } else if (type == kSupportedVersions) {
      h.versions = numbers(v.take(v.u8()));
    }
  }
  return h;
}

std::optional<ServerHello> parse_server_hello(std::span<const std::byte> body) {
  ByteReader r(body);
  ServerHello h;
  h.version = h.selected_version = r.u16();
  r.skip(32);
  r.skip(r.u8());
  h.cipher = r.u16();
  r.skip(1);
  if (!r.ok()) return std::nullopt;
  if (r.remaining() == 0) return h;
  ByteReader extensions(r.take(r.u16()));
  if (!r.ok()) return std::nullopt;
  while (extensions.ok() && extensions.remaining() > 0) {
    const std::uint16_t type = extensions.u16();
    const Bytes value = extensions.take(extensions.u16());
    if (!extensions.ok()) return std::nullopt;
    h.extensions.push_back(type);
    if (type == kSupportedVersions && value.size() == 2) h.selected_version = ByteReader(value).u16();
    if (type == kPreSharedKey) h.resumed = true;
    if (type == kAlpn) {
      if (auto chosen = protocols(value); !chosen.empty()) h.alpn = std::move(chosen.front());
    }
  }
  return h;
}

std::string ja3_string(const ClientHello& h) {
  std::string formats;
  for (const std::uint8_t format : h.point_formats) formats += fmt::format("{}{}", formats.empty() ? "" : "-", format);
  return fmt::format("{},{},{},{},{}", h.version, joined(h.ciphers), joined(h.extensions), joined(h.groups), formats);
}

std::string ja3s_string(const ServerHello& h) { return fmt::format("{},{},{}", h.version, h.cipher, joined(h.extensions)); }

std::string ja4(const ClientHello& h) {
  std::uint16_t version = 0;
  for (const std::uint16_t offered : h.versions) {
    if (!is_grease(offered)) version = std::max(version, offered);
  }
  if (version == 0) version = h.version;
  const std::string_view version_text = version == 0x0304   ? "13"
                                        : version == 0x0303 ? "12"
                                        : version == 0x0302 ? "11"
                                        : version == 0x0301 ? "10"
                                        : version == 0x0300 ? "s3"
                                        : version == 0x0002 ? "s2"
                                                            : "00";
  const auto count = [](const std::vector<std::uint16_t>& values) {
    return std::min<std::size_t>(99, static_cast<std::size_t>(std::ranges::count_if(values, [](std::uint16_t v) { return !is_grease(v); })));
  };
  std::string alpn = "00";
  if (!h.alpn.empty() && !h.alpn.front().empty()) {
    const auto first = static_cast<unsigned char>(h.alpn.front().front());
    const auto last = static_cast<unsigned char>(h.alpn.front().back());
    if (std::isalnum(first) != 0 && std::isalnum(last) != 0) {
      alpn = {static_cast<char>(first), static_cast<char>(last)};
    } else {
      const std::string high = fmt::format("{:02x}", first);
      const std::string low = fmt::format("{:02x}", last);
      alpn = {high.front(), low.back()};
    }
  }
  const bool has_name = std::ranges::find(h.extensions, kServerName) != h.extensions.end();
  std::vector<std::uint16_t> others(h.extensions);
  std::erase_if(others, [](std::uint16_t e) { return e == kServerName || e == kAlpn; });
  std::string second = joined_hex(std::move(others), true);
  if (!second.empty() && !h.signatures.empty()) second += "_" + joined_hex(h.signatures, false);
  return fmt::format("t{}{}{:02}{:02}{}_{}_{}", version_text, has_name ? 'd' : 'i', count(h.ciphers), count(h.extensions), alpn,
                     short_hash(joined_hex(h.ciphers, true)), short_hash(second));
}

std::string version_name(std::uint16_t version) {
  switch (version) {
    case 0x0002:
      return "SSLv2";
    case 0x0300:
      return "SSLv3";
    case 0x0301:
      return "TLSv1";
    case 0x0302:
      return "TLS 1.1";
    case 0x0303:
      return "TLS 1.2";
    case 0x0304:
      return "TLS 1.3";
    default:
      return fmt::format("0x{:04x}", version);
  }
}

}  // namespace weir::inspect::apps
