#include "inspect/apps/http_names.h"

#include <algorithm>
#include <cctype>

namespace weir::inspect::apps {
namespace {

std::size_t find_word(std::string_view text, std::string_view word) {
  const auto found = std::ranges::search(text, word, [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  return found.empty() ? std::string_view::npos : static_cast<std::size_t>(found.begin() - text.begin());
}

std::string value_of(std::string_view text) {
  if (text.starts_with('"')) {
    std::string out;
    for (std::size_t i = 1; i < text.size() && text[i] != '"'; ++i) {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      out += text[i];
    }
    return out;
  }
  return std::string(text.substr(0, text.find_first_of("; \t\r\n")));
}

}  // namespace

std::string disposition_name(std::string_view value) {
  if (const auto at = find_word(value, "filename="); at != std::string_view::npos) return value_of(value.substr(at + 9));
  if (const auto at = find_word(value, "filename*="); at != std::string_view::npos) {
    const std::string full = value_of(value.substr(at + 10));
    const auto quote = full.rfind('\'');
    return quote == std::string::npos ? full : full.substr(quote + 1);
  }
  return {};
}

std::string path_name(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos || slash + 1 == path.size()) return std::string(path);
  return std::string(path.substr(slash + 1));
}

}  // namespace weir::inspect::apps
