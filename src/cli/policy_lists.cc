#include "cli/policy_lists.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/say.h"
#include "cli/text_file.h"
#include "decide/category_lists.h"
#include "decide/feed.h"
#include "decide/utc_time.h"

namespace weir::cli {
namespace {

/// Of the largest lists that there are, some hundred megabytes.
constexpr std::size_t kMostListBytes = 1U << 30;

using Read = std::expected<void, report::Problem>;

Read read_list(const std::string& path, std::size_t category, decide::Categories& into, std::vector<report::Problem>& problems) {
  const auto text = read_text_file(path, kMostListBytes, "a list of names");
  if (!text) return std::unexpected(text.error());
  const auto counts = path.ends_with(".csv") ? decide::read_csv_list(*text, category, into) : decide::read_name_list(*text, category, into);
  if (counts.full) return std::unexpected(report::Problem{path, fmt::format("there are more names than {} octets of them", decide::Categories::kMostNameText)});
  if (counts.odd > 0)
    problems.push_back({fmt::format("{}:{}", path, counts.first_odd), fmt::format("no host name or address; {} of its lines are not used", counts.odd)});
  if (counts.with_path > 0)
    problems.push_back({path, fmt::format("addresses of pages are not used ({}): when a connection begins, no page is known", counts.with_path)});
  return {};
}

/// A file, or a folder as UT1 has them: `domains`, `urls`, or both.
Read read_category(const NamedPath& entry, std::size_t category, decide::Categories& into, std::vector<report::Problem>& problems) {
  std::error_code code;
  if (!std::filesystem::is_directory(entry.path, code)) return read_list(entry.path, category, into, problems);
  bool any = false;
  for (const char* name : {"domains", "urls"}) {
    const std::string path = (std::filesystem::path(entry.path) / name).string();
    if (!std::filesystem::exists(path, code)) continue;
    if (auto read = read_list(path, category, into, problems); !read) return read;
    any = true;
  }
  if (!any) return std::unexpected(report::Problem{entry.path, fmt::format("the folder of categories.{} holds no file 'domains' or 'urls'", entry.name)});
  return {};
}

std::expected<decide::Feed, report::Problem> read_feed(const std::string& path, std::int64_t now_s) {
  const auto text = read_text_file(path, decide::kMostFeedBytes, "a feed");
  if (!text) return std::unexpected(text.error());
  auto feed = decide::parse_feed(*text);
  if (!feed) return std::unexpected(report::Problem{feed.error().line > 0 ? fmt::format("{}:{}", path, feed.error().line) : path, feed.error().why});
  if (feed->stale(now_s)) return std::unexpected(report::Problem{path, fmt::format("is stale: it was valid until {}", decide::utc_text(feed->valid_until_s))});
  return *std::move(feed);
}

}  // namespace

std::expected<PolicyLists, report::Problem> load_policy_lists(const PolicyConfig& config, std::int64_t now_s, const decide::Lookups& before) {
  PolicyLists out;
  auto categories = std::make_shared<decide::Categories>();
  for (const NamedPath& entry : config.categories) {
    const auto number = categories->category(entry.name);
    if (!number) return std::unexpected(report::Problem{entry.path, fmt::format("there are more than {} categories", decide::Categories::kMostCategories)});
    if (auto read = read_category(entry, *number, *categories, out.problems); !read) return std::unexpected(read.error());
  }
  out.lookups.categories = std::move(categories);
  for (const NamedPath& entry : config.feeds) {
    if (auto feed = read_feed(entry.path, now_s)) {
      out.lookups.feeds[entry.name] = std::make_shared<decide::FeedIndex>(*feed);
      continue;
    } else {
      out.problems.push_back(std::move(feed.error()));
      ++out.feeds_refused;
    }
    const auto last = before.feeds.find(entry.name);
    const bool kept = last != before.feeds.end() && last->second;
    out.problems.back().why += kept ? "; the last good one stays" : fmt::format("; the feed {} is empty", entry.name);
    out.lookups.feeds[entry.name] = kept ? last->second : std::make_shared<const decide::FeedIndex>(decide::Feed{});
  }
  return out;
}

PolicySource policy_source(const Config& config) {
  return {.settings = {.inside = config.gateway.inside,
                       .has_inside = config.gateway.has_inside,
                       .rules = config.policy.rules,
                       .otherwise = config.policy.otherwise},
          .lists = config.policy,
          .lookups = {}};
}

std::shared_ptr<const decide::Policy> load_policy(PolicySource& source) {
  const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  auto lists = load_policy_lists(source.lists, now_s, source.lookups);
  if (!lists) return say(lists.error()), nullptr;
  for (const report::Problem& problem : lists->problems) say(problem);
  source.lookups = std::move(lists->lookups);
  return std::make_shared<const decide::Policy>(source.settings, source.lookups);
}

decide::LocalTime local_time(std::time_t now) {
  std::tm local{};
  ::localtime_r(&now, &local);
  return {.weekday = static_cast<std::uint8_t>((local.tm_wday + 6) % 7), .minute = static_cast<std::uint16_t>(local.tm_hour * 60 + local.tm_min)};
}

FeedFiles::FeedFiles(const PolicyConfig& config) {
  for (const NamedPath& entry : config.feeds) stamps_[entry.path] = stamp_of(entry.path);
}

FeedFiles::Stamp FeedFiles::stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size};
}

bool FeedFiles::changed() {
  bool any = false;
  for (auto& [path, stamp] : stamps_) {
    const Stamp now = stamp_of(path);
    any = any || now != stamp;
    stamp = now;
  }
  return any;
}

}  // namespace weir::cli
