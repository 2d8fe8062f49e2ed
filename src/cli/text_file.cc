#include "cli/text_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

namespace weir::cli {

std::expected<std::string, report::Problem> read_text_file(const std::string& path, std::size_t most_bytes, std::string_view what) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return std::unexpected(report::Problem{path, "is a directory"});
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(report::system_problem(path, errno != 0 ? errno : EIO));
  std::string text;
  for (std::array<char, 65'536> piece; file.read(piece.data(), piece.size()), file.gcount() > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > most_bytes) return std::unexpected(report::Problem{path, fmt::format("is too large for {}", what)});
  }
  if (file.bad()) return std::unexpected(report::system_problem(path, errno != 0 ? errno : EIO));
  return text;
}

}  // namespace weir::cli
