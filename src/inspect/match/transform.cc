#include "inspect/match/transform.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::inspect::match {
namespace {

using Kind = rules::Transform::Kind;
using Octets = std::vector<std::byte>;

bool is_blank(std::byte b) { return b == std::byte{' '} || (b >= std::byte{'\t'} && b <= std::byte{'\r'}); }
std::byte lower(std::byte b) { return b >= std::byte{'A'} && b <= std::byte{'Z'} ? b | std::byte{0x20} : b; }
std::byte upper(std::byte b) { return b >= std::byte{'a'} && b <= std::byte{'z'} ? b & std::byte{0xdf} : b; }

int digit_of(std::byte b) {
  const auto c = static_cast<char>(std::to_integer<unsigned char>(b));
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Octets digest(const EVP_MD* kind, std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, kind, nullptr);
  const auto digits = std::as_bytes(std::span(out)).first(size);
  return {digits.begin(), digits.end()};
}

/// Of blanks side by side the first stays.
Octets compressed(std::span<const std::byte> bytes) {
  Octets out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 0 || !is_blank(bytes[i]) || !is_blank(bytes[i - 1])) out.push_back(bytes[i]);
  }
  return out;
}

/// %HH is an octet and + a blank; what only looks like it stays.
Octets url_decoded(std::span<const std::byte> bytes) {
  Octets out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == std::byte{'+'}) {
      out.push_back(std::byte{' '});
      continue;
    }
    if (bytes[i] == std::byte{'%'} && i + 2 < bytes.size()) {
      const int high = digit_of(bytes[i + 1]);
      const int low = digit_of(bytes[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<std::byte>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(bytes[i]);
  }
  return out;
}

/// Lines "Name: value" with the name in lower case.
Octets with_lower_names(std::span<const std::byte> bytes) {
  Octets out;
  bool in_name = true;
  for (const std::byte b : bytes) {
    if (b == std::byte{'\n'}) {
      in_name = true;
    } else if (b == std::byte{':'}) {
      in_name = false;
    }
    out.push_back(in_name ? lower(b) : b);
  }
  return out;
}

/// Lines that begin with a colon are HTTP/2's own.
Octets without_pseudo_headers(std::span<const std::byte> bytes) {
  Octets out;
  while (!bytes.empty()) {
    const auto end = std::ranges::find(bytes, std::byte{'\n'});
    const std::size_t size = static_cast<std::size_t>(end - bytes.begin()) + (end == bytes.end() ? 0 : 1);
    if (bytes[0] != std::byte{':'}) out.insert(out.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes = bytes.subspan(size);
  }
  return out;
}

Octets mapped(std::span<const std::byte> bytes, std::byte (*by)(std::byte)) {
  Octets out(bytes.size());
  std::ranges::transform(bytes, out.begin(), by);
  return out;
}

Octets changed(const rules::Transform& t, const std::optional<Regex>& regex, std::span<const std::byte> bytes) {
  Octets out;
  switch (t.kind) {
    case Kind::kDotPrefix:
      out.push_back(std::byte{'.'});
      break;
    case Kind::kToLowercase:
      return mapped(bytes, lower);
    case Kind::kToUppercase:
      return mapped(bytes, upper);
    case Kind::kStripWhitespace:
      std::ranges::copy_if(bytes, std::back_inserter(out), [](std::byte b) { return !is_blank(b); });
      return out;
    case Kind::kCompressWhitespace:
      return compressed(bytes);
    case Kind::kToMd5:
      return digest(EVP_md5(), bytes);
    case Kind::kToSha1:
      return digest(EVP_sha1(), bytes);
    case Kind::kToSha256:
      return digest(EVP_sha256(), bytes);
    case Kind::kUrlDecode:
      return url_decoded(bytes);
    case Kind::kXor:
      for (std::size_t i = 0; i < bytes.size(); ++i) out.push_back(bytes[i] ^ static_cast<std::byte>(t.argument[i % t.argument.size()]));
      return out;
    case Kind::kHeaderLowercase:
      return with_lower_names(bytes);
    case Kind::kStripPseudoHeaders:
      return without_pseudo_headers(bytes);
    case Kind::kPcre:
      if (const auto captured = regex->captured(bytes)) bytes = *captured;
      break;
  }
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

}  // namespace

std::expected<Transformer, std::string> Transformer::make(const std::vector<rules::Transform>& transforms, std::uint32_t match_limit) {
  Transformer out;
  for (const rules::Transform& t : transforms) {
    Step step{t, std::nullopt};
    if (t.kind == Kind::kPcre) {
      rules::Pcre pcre;
      pcre.expression = t.argument;
      auto regex = Regex::compile(pcre, match_limit);
      if (!regex) return std::unexpected("pcrexform: " + regex.error());
      if (regex->groups() != 1) return std::unexpected("pcrexform: the expression needs one group that captures");
      step.regex = std::move(*regex);
    }
    out.steps_.push_back(std::move(step));
  }
  return out;
}

std::span<const std::byte> Transformer::apply(std::span<const std::byte> bytes, std::vector<std::byte>& room) const {
  for (const Step& step : steps_) {
    room = changed(step.transform, step.regex, bytes);
    bytes = room;
  }
  return bytes;
}

}  // namespace weir::inspect::match
