// `weir config check FILE`
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "cli/config_file.h"
#include "cli/say.h"
#include "cli/verbs.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp =
    R"(Usage: weir config check FILE...

Validates configurations and says every error with its line.
Exit status: 0 if all are right, 2 if not.

Example:
  weir config check /etc/weir/weir.yaml
)";

}  // namespace

int config(std::span<const char* const> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      fmt::print("{}", kHelp);
      return kDone;
    }
  }
  if (arguments.size() < 2 || std::string_view(arguments[0]) != "check") {
    say("config", "expects: check FILE", "see weir config --help");
    return kBadUsage;
  }
  int status = kDone;
  for (const std::string path : arguments.subspan(1)) {
    if (const auto loaded = load_config(path); loaded) {
      fmt::print("{}: no errors\n", path);
    } else {
      say_errors(path, loaded.error());
      status = kBadUsage;
    }
  }
  return status;
}

}  // namespace weir::cli
