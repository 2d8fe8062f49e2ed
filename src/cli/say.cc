#include "cli/say.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace weir::cli {

void say(std::string_view what, std::string_view why, std::string_view hint) {
  std::string line = "weir: ";
  line.append(what).append(": ").append(why);
  if (!hint.empty()) line.append(" (").append(hint).append(")");
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void say(const report::Problem& problem) {
  if (!problem.quiet) say(problem.what, problem.why);
}

}  // namespace weir::cli
