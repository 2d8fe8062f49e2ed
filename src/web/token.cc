#include "web/token.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace weir::web {
namespace {

constexpr std::string_view kScheme = "bearer ";

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest(std::string_view text) {
  Digest out{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return out;
}

/// Why the file is not to be believed or not kept secret; empty: it is.
std::string_view wrong_with(const struct stat& about) {
  if (!S_ISREG(about.st_mode)) return "is no file";
  if (about.st_uid != 0 && about.st_uid != ::geteuid()) return "belongs to another user";
  if ((about.st_mode & S_IRWXO) != 0) return "may be read or written by others; chmod o= takes that from them";
  if ((about.st_mode & S_IWGRP) != 0) return "may be written by its group; chmod g-w takes that from it";
  return {};
}

bool is_token_octet(char c) { return c > ' ' && c < '\x7f'; }

std::expected<std::string, report::Problem> token_in(int file, const std::string& path) {
  struct stat about{};
  if (::fstat(file, &about) != 0) return std::unexpected(report::system_problem(path, errno));
  if (const auto wrong = wrong_with(about); !wrong.empty()) return std::unexpected(report::Problem{path, std::string(wrong)});
  std::string text(kMostToken + 3, '\0');
  const ssize_t got = ::read(file, text.data(), text.size());
  if (got < 0) return std::unexpected(report::system_problem(path, errno));
  text.resize(static_cast<std::size_t>(got));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.size() < kLeastToken || text.size() > kMostToken || !std::ranges::all_of(text, is_token_octet))
    return std::unexpected(report::Problem{path, fmt::format("is no token: one line of {} to {} printable octets without blanks", kLeastToken, kMostToken)});
  return text;
}

}  // namespace

std::expected<std::string, report::Problem> read_token_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::unexpected(report::system_problem(path, errno));
  auto token = token_in(file, path);
  ::close(file);
  return token;
}

bool has_token(std::string_view authorization, std::string_view token) {
  if (token.empty() || authorization.size() < kScheme.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (!std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, {}, lower)) return false;
  authorization.remove_prefix(kScheme.size());
  // Digests are of one length, and nothing can be chosen octet by octet.
  const Digest given = digest(authorization), right = digest(token);
  return CRYPTO_memcmp(given.data(), right.data(), right.size()) == 0;
}

}  // namespace weir::web
