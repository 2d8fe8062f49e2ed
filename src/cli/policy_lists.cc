#include "cli/policy_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "capture/clock.h"
#include "cli/say.h"
#include "cli/text_file.h"
#include "decide/category_lists.h"
#include "decide/feed.h"
#include "decide/utc_time.h"

namespace weir::cli {
namespace {

/// Of the largest lists that there are, some hundred megabytes.
constexpr std::size_t kMostListBytes = 1U << 30;
constexpr std::int64_t kSecond = 1'000'000'000;

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

/// A file, or of a folder as UT1 has them `domains` and `urls`.
std::vector<std::string> files_of(const NamedPath& entry) {
  std::error_code code;
  if (!std::filesystem::is_directory(entry.path, code)) return {entry.path};
  const std::filesystem::path folder = entry.path;
  return {(folder / "domains").string(), (folder / "urls").string()};
}

/// Of a folder there may be both files, or one.
Read read_category(const NamedPath& entry, std::size_t category, decide::Categories& into, std::vector<report::Problem>& problems) {
  const std::vector<std::string> files = files_of(entry);
  if (files.size() == 1) return read_list(files.front(), category, into, problems);
  bool any = false;
  for (const std::string& path : files) {
    std::error_code code;
    if (!std::filesystem::exists(path, code)) continue;
    if (auto read = read_list(path, category, into, problems); !read) return read;
    any = true;
  }
  if (!any) return std::unexpected(report::Problem{entry.path, fmt::format("the folder of categories.{} holds no file 'domains' or 'urls'", entry.name)});
  return {};
}

bool are_same(const std::vector<NamedPath>& a, const std::vector<NamedPath>& b) {
  return std::ranges::equal(a, b, [](const NamedPath& one, const NamedPath& other) { return one.name == other.name && one.path == other.path; });
}

/// All of them, or those of `before` if no file has changed.
Read load_categories(const PolicyConfig& config, std::int64_t now_ns, const ReadLists& before, PolicyLists& out) {
  ReadLists& read = out.read;
  read.categories = config.categories;
  for (const NamedPath& entry : config.categories)
    for (const std::string& path : files_of(entry)) read.category_files[path] = stamp_of(path);
  read.settled = std::ranges::all_of(read.category_files, [&](const auto& file) { return is_settled(file.second, now_ns); });
  if (before.settled && before.lookups.categories && are_same(before.categories, read.categories) && before.category_files == read.category_files) {
    read.lookups.categories = before.lookups.categories;
    return {};
  }
  auto categories = std::make_shared<decide::Categories>();
  for (const NamedPath& entry : config.categories) {
    const auto number = categories->category(entry.name);
    if (!number) return std::unexpected(report::Problem{entry.path, fmt::format("there are more than {} categories", decide::Categories::kMostCategories)});
    if (auto one = read_category(entry, *number, *categories, out.problems); !one) return one;
  }
  read.lookups.categories = std::move(categories);
  return {};
}

report::Problem stale(const std::string& path, std::int64_t valid_until_s) {
  return {path, fmt::format("is stale: it was valid until {}", decide::utc_text(valid_until_s))};
}

std::expected<decide::Feed, report::Problem> read_feed(const std::string& path, std::int64_t now_s) {
  const auto text = read_text_file(path, decide::kMostFeedBytes, "a feed");
  if (!text) return std::unexpected(text.error());
  auto feed = decide::parse_feed(*text);
  if (!feed) return std::unexpected(report::Problem{feed.error().line > 0 ? fmt::format("{}:{}", path, feed.error().line) : path, feed.error().why});
  if (feed->stale(now_s)) return std::unexpected(stale(path, feed->valid_until_s));
  return *std::move(feed);
}

/// The feed, read or as it was; its problem, otherwise.
Read load_feed(const NamedPath& entry, std::int64_t now_ns, const ReadLists& before, ReadLists& into) {
  const std::int64_t now_s = now_ns / kSecond;
  const FileStamp stamp = stamp_of(entry.path);
  const auto last = before.feeds.find(entry.name);
  if (last != before.feeds.end() && last->second.path == entry.path && last->second.stamp == stamp) {
    if (last->second.valid_until_s <= now_s) return std::unexpected(stale(entry.path, last->second.valid_until_s));
    into.feeds[entry.name] = last->second;
    into.lookups.feeds[entry.name] = before.lookups.feeds.at(entry.name);
    return {};
  }
  const auto feed = read_feed(entry.path, now_s);
  if (!feed) return std::unexpected(feed.error());
  if (is_settled(stamp, now_ns)) into.feeds[entry.name] = {.path = entry.path, .stamp = stamp, .valid_until_s = feed->valid_until_s};
  into.lookups.feeds[entry.name] = std::make_shared<decide::FeedIndex>(*feed);
  return {};
}

}  // namespace

std::expected<PolicyLists, report::Problem> load_policy_lists(const PolicyConfig& config, std::int64_t now_ns, const ReadLists& before) {
  PolicyLists out;
  if (const auto loaded = load_categories(config, now_ns, before, out); !loaded) return std::unexpected(loaded.error());
  auto& feeds = out.read.lookups.feeds;
  for (const NamedPath& entry : config.feeds) {
    auto loaded = load_feed(entry, now_ns, before, out.read);
    if (loaded) continue;
    out.problems.push_back(std::move(loaded.error()));
    ++out.feeds_refused;
    const auto last = before.lookups.feeds.find(entry.name);
    const bool kept = last != before.lookups.feeds.end() && last->second;
    out.problems.back().why += kept ? "; the last good one stays" : fmt::format("; the feed {} is empty", entry.name);
    feeds[entry.name] = kept ? last->second : std::make_shared<const decide::FeedIndex>(decide::Feed{});
  }
  return out;
}

PolicySource policy_source(const Config& config) {
  return {.settings = {.inside = config.gateway.inside,
                       .has_inside = config.gateway.has_inside,
                       .rules = config.policy.rules,
                       .otherwise = config.policy.otherwise},
          .lists = config.policy,
          .read = {},
          .feed_files = {}};
}

std::shared_ptr<const decide::Policy> load_policy(PolicySource& source) {
  source.feed_files = FeedFiles(source.lists);
  auto lists = load_policy_lists(source.lists, capture::wall_ns(), source.read);
  if (!lists) return say(lists.error()), nullptr;
  for (const report::Problem& problem : lists->problems) say(problem);
  source.read = std::move(lists->read);
  return std::make_shared<const decide::Policy>(source.settings, source.read.lookups);
}

decide::LocalTime local_time(std::time_t now) {
  std::tm local{};
  ::localtime_r(&now, &local);
  return {.weekday = static_cast<std::uint8_t>((local.tm_wday + 6) % 7), .minute = static_cast<std::uint16_t>(local.tm_hour * 60 + local.tm_min)};
}

FeedFiles::FeedFiles(const PolicyConfig& config) {
  for (const NamedPath& entry : config.feeds) stamps_[entry.path] = stamp_of(entry.path);
}

bool FeedFiles::changed() {
  bool any = false;
  for (auto& [path, stamp] : stamps_) {
    const FileStamp now = stamp_of(path);
    any = any || now != stamp;
    stamp = now;
  }
  return any;
}

}  // namespace weir::cli
