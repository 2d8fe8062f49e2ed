// `weir config check FILE`
#include <fmt/format.h>
#include <pwd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "cli/config_file.h"
#include "cli/gateway_doubts.h"
#include "cli/rule_files.h"
#include "cli/say.h"
#include "cli/verbs.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp =
    R"(Usage: weir config check FILE...

Validates configurations and says every error with its line. What only this machine lacks, as a rules file, is told too, and is no error.
Exit status: 0 if all are right, 2 if not.

Example:
  weir config check /etc/weir/weir.yaml
)";

/// What would hinder a start here, and may be right elsewhere.
void say_what_is_missing(const std::string& path, const Config& config) {
  for (std::size_t i = 0; i < config.rules.size(); ++i) {
    if (const auto why = missing_rules(config.rules[i]))
      say(fmt::format("{}:{}", path, config.rule_lines[i]), fmt::format("{}: {}", config.rules[i], *why), "on this machine");
  }
  if (const std::string& user = config.service.user; !user.empty() && ::getpwnam(user.c_str()) == nullptr)
    say(path, fmt::format("sensor.user: there is no user '{}'", user), "on this machine");
  say_doubts(path, config);
}

}  // namespace

int config(std::span<const char* const> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      return show(kHelp);
    }
  }
  if (arguments.size() < 2 || std::string_view(arguments[0]) != "check") {
    say("config", "expects: check FILE", "see weir config --help");
    return kBadUsage;
  }
  int status = kDone;
  for (const std::string path : arguments.subspan(1)) {
    if (const auto loaded = load_config(path); loaded) {
      status = std::max(status, show(fmt::format("{}: no errors\n", path)));
      say_what_is_missing(path, *loaded);
    } else {
      say_errors(path, loaded.error());
      status = kBadUsage;
    }
  }
  return status;
}

}  // namespace weir::cli
