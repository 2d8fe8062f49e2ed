#include "decide/feed.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <tuple>

#include "decide/host_name.h"
#include "decide/utc_time.h"

namespace weir::decide {
namespace {

constexpr auto kVerdicts = std::to_array<std::string_view>({"v1", "v0", "mirror", "tcp_only", "closed", "timeout", "inconclusive", "stripped"});
static_assert(kVerdicts.size() == kFeedVerdicts);

constexpr std::string_view kFirstLine = "weir-feed 1";
constexpr std::string_view kColumns = "name\taddress\tport\tverdict\tfirst_seen\tlast_seen\tevidence";
constexpr std::string_view kNoName = "-";
constexpr std::size_t kMostLineBytes = 2'048;

std::string sha256_text(std::string_view octets) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> sum{};
  SHA256(reinterpret_cast<const unsigned char*>(octets.data()), octets.size(), sum.data());
  std::string text;
  for (const unsigned char octet : sum) fmt::format_to(std::back_inserter(text), "{:02x}", octet);
  return text;
}

/// IPv4 first, as in lists that people read; the mapped form would stand in the middle.
auto order_of(const FeedEntry& entry) { return std::tuple(!entry.address.is_v4(), entry.address, entry.port, std::string_view(entry.name)); }

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_control(char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }

/// Empty: it is none.
std::string name_as_written(std::string_view text) {
  std::string name = host_name_of(text).value_or("");
  return name == kNoName ? "" : name;
}

std::string evidence_as_written(std::string_view text) {
  std::string evidence(text.substr(0, kMostEvidenceBytes));
  if (text.size() > kMostEvidenceBytes) {  // not within a character
    while (!evidence.empty() && (static_cast<unsigned char>(text[evidence.size()]) & 0xc0U) == 0x80) evidence.pop_back();
  }
  std::ranges::replace_if(evidence, is_control, ' ');
  return evidence;
}

/// Purpose: the lines of a feed, one after the other, and where it stands. Views of the text.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  /// A whole line without its LF; nothing: there is none.
  std::optional<std::string_view> next() {
    const auto end = text_.find('\n', at_);
    if (end == std::string_view::npos) return std::nullopt;
    begin_ = at_;
    at_ = end + 1;
    ++number_;
    return text_.substr(begin_, end - begin_);
  }
  std::string_view before() const { return text_.substr(0, begin_); }  ///< the line that next() gave
  bool at_end() const { return at_ == text_.size(); }
  std::unexpected<FeedError> error(std::string why) const { return std::unexpected(FeedError{number_, std::move(why)}); }

 private:
  std::string_view text_;
  std::size_t at_ = 0, begin_ = 0, number_ = 0;
};

/// False: there are not exactly as many.
template <std::size_t Count>
bool split(std::string_view line, std::array<std::string_view, Count>& columns) {
  for (std::size_t i = 0; i < Count; ++i) {
    const auto tab = line.find('\t');
    if ((tab == std::string_view::npos) != (i + 1 == Count)) return false;
    columns[i] = line.substr(0, tab);
    line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  }
  return true;
}

std::expected<FeedEntry, std::string> entry_of(std::string_view line) {
  std::array<std::string_view, 7> column;
  if (!split(line, column)) return std::unexpected("has not seven columns");
  const auto [name, address, port, verdict, first, last, evidence] = column;
  const auto bad = [](std::string_view what, std::string_view why) { return std::unexpected(fmt::format("{} {}", what, why)); };
  FeedEntry entry;
  if (host_name_of(name) != name) return bad("name", "is no host name in lower case");
  if (name != kNoName) entry.name = name;
  const auto ip = parse_ip_address(address);
  if (!ip) return bad("address", "is none");
  entry.address = *ip;
  const auto number_of_port = number<std::uint16_t>(port);
  if (!number_of_port || *number_of_port == 0) return bad("port", "is no number from 1 to 65535");
  entry.port = *number_of_port;
  const auto found = feed_verdict_of(verdict);
  if (!found) return bad("verdict", fmt::format("is none of {}", fmt::join(kVerdicts, ", ")));
  entry.verdict = *found;
  const auto first_seen = parse_utc(first), last_seen = parse_utc(last);
  if (!first_seen || !last_seen) return bad("first_seen and last_seen", "are times as in 2026-11-28T07:00:00Z");
  if (*last_seen < *first_seen) return bad("last_seen", "lies before first_seen");
  entry.first_seen_s = *first_seen;
  entry.last_seen_s = *last_seen;
  if (evidence.size() > kMostEvidenceBytes || std::ranges::any_of(evidence, is_control)) return bad("evidence", "is too long, or has control characters");
  entry.evidence = evidence;
  return entry;
}

/// "LABEL <TAB> TIME".
std::optional<std::int64_t> time_line(std::optional<std::string_view> line, std::string_view label) {
  std::array<std::string_view, 2> column;
  if (!line || !split(*line, column) || column[0] != label) return std::nullopt;
  return parse_utc(column[1]);
}

/// The last line, against what stands before it.
std::expected<void, FeedError> check_end(Lines& lines, std::string_view line, std::size_t entries) {
  std::array<std::string_view, 3> column;
  if (!split(line, column)) return lines.error("end has not three columns");
  const auto count = number<std::size_t>(column[1]);
  if (!count || *count != entries)
    return lines.error(fmt::format("end counts {} entries, there are {}: the file is damaged", column[1].substr(0, 20), entries));
  if (column[2] != sha256_text(lines.before())) return lines.error("the SHA-256 at the end is not that of the content: the file is damaged");
  if (!lines.at_end()) return lines.error("something follows the last line");
  return {};
}

}  // namespace

std::string_view name_of(FeedVerdict verdict) { return kVerdicts.at(static_cast<std::size_t>(verdict)); }

std::optional<FeedVerdict> feed_verdict_of(std::string_view name) {
  const auto found = std::ranges::find(kVerdicts, name);
  if (found == kVerdicts.end()) return std::nullopt;
  return static_cast<FeedVerdict>(found - kVerdicts.begin());
}

std::expected<Feed, FeedError> parse_feed(std::string_view text) {
  if (text.size() > kMostFeedBytes) return std::unexpected(FeedError{0, "is too large for a feed"});
  Lines lines(text);
  const auto first = lines.next();
  if (!first || !first->starts_with("weir-feed ")) return std::unexpected(FeedError{1, "is no feed: the first line is not 'weir-feed 1'"});
  if (*first != kFirstLine) return lines.error("is a feed of a version that is not known here");
  Feed feed;
  const auto written = time_line(lines.next(), "written");
  if (!written) return lines.error("expects 'written', a tab and a time as in 2026-11-28T07:00:00Z");
  const auto valid_until = time_line(lines.next(), "valid-until");
  if (!valid_until) return lines.error("expects 'valid-until', a tab and a time as in 2026-11-28T07:00:00Z");
  if (*valid_until < *written) return lines.error("valid-until lies before written");
  feed.written_s = *written;
  feed.valid_until_s = *valid_until;
  if (lines.next() != kColumns) return lines.error("expects the names of the columns");
  while (const auto line = lines.next()) {
    if (line->starts_with("end\t")) {
      // A target may be called "end"; then there are seven columns.
      if (std::ranges::count(*line, '\t') == 2) {
        if (auto whole = check_end(lines, *line, feed.entries.size()); !whole) return std::unexpected(whole.error());
        return feed;
      }
    }
    if (line->size() > kMostLineBytes) return lines.error("the line is too long");
    auto entry = entry_of(*line);
    if (!entry) return lines.error(entry.error());
    if (!feed.entries.empty() && !(order_of(feed.entries.back()) < order_of(*entry))) return lines.error("stands out of order, or is there twice");
    if (feed.entries.size() >= kMostFeedEntries) return lines.error("has too many entries");
    feed.entries.push_back(*std::move(entry));
  }
  return lines.error("ends without its last line: it was cut off");
}

std::string serialise(const Feed& feed) {
  std::vector<FeedEntry> entries = feed.entries;
  for (FeedEntry& entry : entries) {
    entry.name = name_as_written(entry.name);
    entry.last_seen_s = std::max(entry.last_seen_s, entry.first_seen_s);
  }
  // Of the same target the one seen last stands first, and stays.
  std::ranges::stable_sort(entries, std::greater{}, &FeedEntry::last_seen_s);
  std::ranges::stable_sort(entries, {}, order_of);
  const auto twice = std::ranges::unique(entries, {}, order_of);
  entries.erase(twice.begin(), twice.end());

  std::string text = fmt::format("{}\nwritten\t{}\nvalid-until\t{}\n{}\n", kFirstLine, utc_text(feed.written_s),
                                 utc_text(std::max(feed.valid_until_s, feed.written_s)), kColumns);
  for (const FeedEntry& entry : entries) {
    fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\t{}\t{}\n", entry.name.empty() ? kNoName : entry.name, to_string(entry.address), entry.port,
                   name_of(entry.verdict), utc_text(entry.first_seen_s), utc_text(entry.last_seen_s), evidence_as_written(entry.evidence));
  }
  const std::string sum = sha256_text(text);
  fmt::format_to(std::back_inserter(text), "end\t{}\t{}\n", entries.size(), sum);
  return text;
}

Feed merged(const Feed& earlier, const Feed& run) {
  const auto found_nothing = [](const FeedEntry& entry) { return entry.verdict == FeedVerdict::kTimeout || entry.verdict == FeedVerdict::kInconclusive; };
  Feed out{run.written_s, run.valid_until_s, {}};
  std::vector<FeedEntry> before = earlier.entries, now = run.entries;
  std::ranges::stable_sort(before, {}, order_of);
  std::ranges::stable_sort(now, {}, order_of);
  out.entries.reserve(before.size() + now.size());
  std::size_t b = 0;
  for (FeedEntry& entry : now) {
    for (; b < before.size() && order_of(before[b]) < order_of(entry); ++b) out.entries.push_back(std::move(before[b]));
    if (b < before.size() && order_of(before[b]) == order_of(entry)) {
      FeedEntry& old = before[b++];
      entry.first_seen_s = std::min(entry.first_seen_s, old.first_seen_s);
      if (found_nothing(entry) && !found_nothing(old)) entry = std::move(old);
    }
    out.entries.push_back(std::move(entry));
  }
  std::move(before.begin() + static_cast<std::ptrdiff_t>(b), before.end(), std::back_inserter(out.entries));
  return out;
}

std::size_t age_out(Feed& feed, std::int64_t before_s) {
  return std::erase_if(feed.entries, [&](const FeedEntry& entry) { return entry.last_seen_s < before_s; });
}

}  // namespace weir::decide
