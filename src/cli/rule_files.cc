#include "cli/rule_files.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <expected>
#include <filesystem>
#include <iterator>
#include <map>
#include <span>
#include <tuple>
#include <utility>

#include "cli/database_cache.h"
#include "cli/say.h"
#include "cli/text_file.h"
#include "report/problem.h"
#include "report/table.h"

namespace weir::cli {
namespace {

/// A file beyond this is no rules file.
constexpr std::size_t kMaxBytes = 512 << 20;
/// Of the faults of rules that are not run for them, which may be as many as a file has lines.
constexpr std::size_t kMostSaid = 10;

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

/// What became of a file's lines that are no comments.
struct Lines {
  std::size_t rules = 0;    ///< that can run; those left out in favour of an equal one count
  std::size_t refused = 0;  ///< when they were read; of these:
  std::size_t no_rules = 0;
};
using LinesOf = std::map<std::string, Lines>;

/// A place that the user names, and its files.
struct Place {
  std::string path;
  std::vector<std::string> files;
};

std::vector<report::Problem> unusable_of(const std::vector<Place>& places, const LinesOf& lines_of) {
  std::vector<report::Problem> out;
  for (const auto& [path, files] : places) {
    const std::size_t before = out.size();
    std::size_t rules = 0, refused = 0;
    for (const std::string& file : files) {
      const Lines& of = lines_of.at(file);
      rules += of.rules;
      refused += of.refused;
      if (of.rules == 0 && of.refused > 0 && of.no_rules == of.refused)
        out.push_back({file, fmt::format("is no rules file: no rule in {} line{}", report::grouped(of.refused), of.refused == 1 ? "" : "s")});
    }
    if (rules == 0 && refused > 0 && out.size() == before)
      out.push_back({path, fmt::format("nothing of it can run: {} rule{} refused", report::grouped(refused), refused == 1 ? "" : "s")});
  }
  return out;
}

/// Purpose: reads places one after the other, and makes one set of all their rules.
class RulesReader {
 public:
  RulesReader(const inspect::rules::Variables& variables, const Limits& limits) : variables_(variables), limits_(limits) {}

  /// Problem: a file that cannot be read.
  std::expected<void, report::Problem> read(const std::string& path) {
    auto files = files_of(path);
    if (!files) return std::unexpected(files.error());
    for (const std::string& file : *files) {
      const auto text = read_text_file(file, kMaxBytes, "a rules file");
      if (!text) return std::unexpected(text.error());
      ++out_.files;
      auto parsed = inspect::rules::parse(*text, file, variables_);
      Lines& lines = lines_of_[file];
      lines.rules += parsed.rules.size();
      lines.refused += parsed.refusals.size();
      lines.no_rules += static_cast<std::size_t>(std::ranges::count(parsed.refusals, true, &inspect::rules::Refusal::no_rule));
      std::ranges::move(parsed.rules, std::back_inserter(rules_));
      std::ranges::move(parsed.refusals, std::back_inserter(out_.refusals));
    }
    places_.push_back({path, *std::move(files)});
    return {};
  }

  LoadedRules finish() {
    inspect::rules::drop_duplicates(rules_, out_.refusals);
    const std::size_t parsed = rules_.size();
    std::vector<inspect::match::Refused> refused;
    DiskCache cache;
    out_.set = inspect::match::RuleSet::make(std::move(rules_), limits_, cache.usable() && parsed >= DiskCache::kWorthwhileRules ? &cache : nullptr, refused);
    out_.loaded = parsed - refused.size();
    for (auto& each : refused) {
      --lines_of_[each.file].rules;
      ++lines_of_[each.file].refused;
      const auto colon = each.why.find(':');
      out_.refusals.push_back({.file = each.file,
                               .line = each.line,
                               .column = 0,
                               .keyword = each.why.substr(0, colon),
                               .why = colon == std::string::npos ? "" : each.why.substr(std::min(colon + 2, each.why.size()))});
    }
    std::ranges::stable_sort(out_.refusals, {}, [](const auto& r) { return std::tie(r.file, r.line); });
    out_.unusable = unusable_of(places_, lines_of_);
    return std::move(out_);
  }

 private:
  const inspect::rules::Variables& variables_;
  const Limits& limits_;
  LoadedRules out_;
  std::vector<inspect::rules::Rule> rules_;
  std::vector<Place> places_;
  LinesOf lines_of_;
};

std::expected<LoadedRules, report::Problem> read_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables,
                                                       const Limits& limits) {
  RulesReader reader(variables, limits);
  for (const std::string& path : paths) {
    if (const auto read = reader.read(path); !read) return std::unexpected(read.error());
  }
  return reader.finish();
}

/// Each refused rule as "weir: FILE:LINE:COLUMN: 'KEYWORD': WHY"; the column and the keyword only where the fault has them.
void say_refusals(std::span<const inspect::rules::Refusal> refusals) {
  for (const auto& r : refusals) {
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

std::optional<LoadedRules> check_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables, const Limits& limits) {
  auto loaded = read_rules(paths, variables, limits);
  if (!loaded) return say(loaded.error()), std::nullopt;
  say_refusals(loaded->refusals);
  return *std::move(loaded);
}

std::optional<LoadedRules> load_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables, const Limits& limits) {
  auto loaded = read_rules(paths, variables, limits);
  if (!loaded) return say(loaded.error()), std::nullopt;
  if (loaded->unusable.empty()) {
    say_refusals(loaded->refusals);
    return *std::move(loaded);
  }
  say_refusals(std::span(loaded->refusals).first(std::min(loaded->refusals.size(), kMostSaid)));
  for (const report::Problem& problem : loaded->unusable) say(problem.what, problem.why, "weir rules check says all");
  return std::nullopt;
}

}  // namespace weir::cli
