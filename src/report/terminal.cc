#include "report/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace weir::report {
namespace {

std::string wrapped(bool colour, int code, std::string_view text) {
  if (!colour || text.empty()) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

}  // namespace

TextStyle TextStyle::of(int descriptor) {
  static constexpr std::size_t kUsual = 80;
  TextStyle style;
  if (!::isatty(descriptor)) return style;
  winsize size{};
  style.width = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  style.colour = !(no_colour && *no_colour) && terminal && std::string_view(terminal) != "dumb";
  return style;
}

std::string TextStyle::bold(std::string_view text) const { return wrapped(colour, 1, text); }
std::string TextStyle::dim(std::string_view text) const { return wrapped(colour, 2, text); }
std::string TextStyle::alarm(std::string_view text) const { return wrapped(colour, 31, text); }

}  // namespace weir::report
