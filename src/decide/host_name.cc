#include "decide/host_name.h"

namespace weir::decide {

std::optional<std::string> host_name_of(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kMostHostNameBytes) return std::nullopt;
  std::string name(text);
  char before = '.';
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && before != '.');
    if (!fits) return std::nullopt;
    before = c;
  }
  if (before == '.') return std::nullopt;
  return name;
}

}  // namespace weir::decide
