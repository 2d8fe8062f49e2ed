// `weir rules check FILE...`
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/config_file.h"
#include "cli/rule_files.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "report/table.h"
#include "report/terminal.h"

#include <unistd.h>

namespace weir::cli {
namespace {

constexpr std::string_view kHelp =
    R"(Usage: weir rules check [--config FILE] FILE|DIR...

Says of each signature whether it is supported, and if not, why and where.
--config FILE   variables (vars) and limits of that configuration
Exit status: 0 if all are loaded, 1 if some are refused, 2 if a file does not exist.

Example:
  weir rules check /etc/weir/rules
)";

std::string share(std::size_t part, std::size_t all) {
  return all == 0 ? "" : fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

int print_table(const LoadedRules& rules) {
  const std::size_t all = rules.loaded + rules.refusals.size();
  std::map<std::string, std::pair<std::size_t, std::string>> by_keyword;
  for (const auto& refusal : rules.refusals) {
    auto& [count, first] = by_keyword[refusal.keyword.empty() ? "(form)" : refusal.keyword];
    if (count++ == 0) first = fmt::format("{}:{}: {}", refusal.file, refusal.line, refusal.why);
  }
  std::vector<std::pair<std::string, std::pair<std::size_t, std::string>>> order(by_keyword.begin(), by_keyword.end());
  std::ranges::stable_sort(order, std::greater{}, [](const auto& each) { return each.second.first; });
  report::Table table({{"RULES"}, {"COUNT", true}, {"SHARE", true}, {"FIRST"}});
  table.row({"loaded", std::to_string(rules.loaded), share(rules.loaded, all), ""});
  for (const auto& [keyword, seen] : order) table.row({"refused: " + keyword, std::to_string(seen.first), share(seen.first, all), seen.second});
  table.row({"all", std::to_string(all), "", fmt::format("{} file{}", rules.files, rules.files == 1 ? "" : "s")});
  return show(table.text(report::TextStyle::of(STDOUT_FILENO)));
}

}  // namespace

int rules(std::span<const char* const> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      return show(kHelp);
    }
  }
  const auto usage = [](std::string_view why) {
    say("rules", why, "see weir rules --help");
    return kBadUsage;
  };
  if (arguments.empty() || std::string_view(arguments[0]) != "check") return usage("expects: check FILE");
  Config config;
  config.variables = inspect::rules::default_variables();
  std::vector<std::string> paths;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--config") {
      if (++i == arguments.size()) return usage("--config needs a file");
      auto loaded = load_config(arguments[i]);
      if (!loaded) return say_errors(arguments[i], loaded.error()), kBadUsage;
      config = std::move(*loaded);
    } else if (argument.starts_with("--config=")) {
      const std::string path(argument.substr(9));
      auto loaded = load_config(path);
      if (!loaded) return say_errors(path, loaded.error()), kBadUsage;
      config = std::move(*loaded);
    } else if (argument.starts_with('-') && argument.size() > 1) {
      return usage(fmt::format("no option {}", argument));
    } else {
      paths.emplace_back(argument);
    }
  }
  if (paths.empty()) return usage("expects: check FILE");
  const auto loaded = check_rules(paths, config.variables, config.limits);
  if (!loaded) return kBadUsage;
  const int shown = print_table(*loaded);
  return loaded->refusals.empty() ? shown : kNotDone;
}

}  // namespace weir::cli
