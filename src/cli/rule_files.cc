#include "cli/rule_files.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <expected>
#include <filesystem>
#include <iterator>
#include <tuple>

#include "cli/database_cache.h"
#include "cli/say.h"
#include "cli/text_file.h"
#include "report/problem.h"

namespace weir::cli {
namespace {

/// A file beyond this is no rules file.
constexpr std::size_t kMaxBytes = 512 << 20;

std::expected<std::vector<std::string>, report::Problem> files_of(const std::string& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
      if (entry.path().extension() == ".rules") files.push_back(entry.path());
    }
    if (code) return std::unexpected(report::Problem{path, code.message()});
    if (files.empty()) return std::unexpected(report::Problem{path, "the folder holds no *.rules"});
    std::ranges::sort(files);
    return files;
  }
  if (std::filesystem::exists(path, code) || path.find_first_of("*?[") == std::string::npos) return std::vector{path};
  glob_t found{};
  std::vector<std::string> files;
  if (::glob(path.c_str(), 0, nullptr, &found) == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (files.empty()) return std::unexpected(report::Problem{path, "no file is named like this"});
  return files;
}

/// Problem: a file that cannot be read.
std::expected<LoadedRules, report::Problem> read_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables,
                                                       const Limits& limits) {
  LoadedRules out;
  std::vector<inspect::rules::Rule> rules;
  for (const std::string& path : paths) {
    const auto files = files_of(path);
    if (!files) return std::unexpected(files.error());
    for (const std::string& file : *files) {
      const auto text = read_text_file(file, kMaxBytes, "a rules file");
      if (!text) return std::unexpected(text.error());
      ++out.files;
      auto parsed = inspect::rules::parse(*text, file, variables);
      std::ranges::move(parsed.rules, std::back_inserter(rules));
      std::ranges::move(parsed.refusals, std::back_inserter(out.refusals));
    }
  }
  inspect::rules::drop_duplicates(rules, out.refusals);
  const std::size_t parsed = rules.size();
  std::vector<inspect::match::Refused> refused;
  DiskCache cache;
  out.set = inspect::match::RuleSet::make(std::move(rules), limits, cache.usable() && parsed >= DiskCache::kWorthwhileRules ? &cache : nullptr, refused);
  out.loaded = parsed - refused.size();
  for (auto& each : refused) {
    const auto colon = each.why.find(':');
    out.refusals.push_back(
        {each.file, each.line, 0, each.why.substr(0, colon), colon == std::string::npos ? "" : each.why.substr(std::min(colon + 2, each.why.size()))});
  }
  std::ranges::stable_sort(out.refusals, {}, [](const auto& r) { return std::tie(r.file, r.line); });
  return out;
}

/// Each refused rule as "weir: FILE:LINE:COLUMN: 'KEYWORD': WHY"; the column and the keyword only where the fault has them.
void say_refusals(const LoadedRules& rules) {
  for (const auto& r : rules.refusals) {
    const std::string where = r.column > 0 ? fmt::format("{}:{}:{}", r.file, r.line, r.column) : fmt::format("{}:{}", r.file, r.line);
    say(where, r.keyword.empty() ? r.why : fmt::format("'{}': {}", r.keyword, r.why));
  }
}

}  // namespace

std::optional<std::string> missing_rules(const std::string& path) {
  const auto files = files_of(path);
  if (!files) return files.error().why;
  for (const std::string& file : *files) {
    if (std::error_code code; !std::filesystem::exists(file, code)) return code ? code.message() : "No such file or directory";
  }
  return std::nullopt;
}

std::optional<LoadedRules> load_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables, const Limits& limits) {
  auto loaded = read_rules(paths, variables, limits);
  if (!loaded) return say(loaded.error()), std::nullopt;
  say_refusals(*loaded);
  return *std::move(loaded);
}

}  // namespace weir::cli
