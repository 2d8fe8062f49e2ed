#include "cli/probe_outputs.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <utility>

#include "capture/clock.h"
#include "cli/say.h"
#include "probe/output/feed_entries.h"
#include "probe/output/json_lines.h"
#include "probe/output/whole_file.h"
#include "report/table.h"
#include "report/terminal.h"

namespace weir::cli {
namespace {

namespace output = probe::output;

constexpr std::size_t kFlushBytes = 1U << 16;
constexpr TimeNs kSecond = 1'000'000'000;
constexpr TimeNs kDrawEvery = kSecond / 5;

/// Nothing: it is no file that could be cut.
std::optional<std::uint64_t> regular_bytes(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(about.st_size);
}

void cut_file(const std::optional<std::string>& path, const std::optional<std::uint64_t>& bytes) {
  if (!path || !bytes || regular_bytes(*path).value_or(0) <= *bytes) return;
  if (::truncate(path->c_str(), static_cast<off_t>(*bytes)) != 0) say(report::system_problem(*path, errno));
}

/// A file of at least that many octets; what is no file cannot be looked at.
bool has_first_part(const std::string& path, const std::optional<std::uint64_t>& bytes) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return false;
  return !S_ISREG(about.st_mode) || (bytes && static_cast<std::uint64_t>(about.st_size) >= *bytes);
}

}  // namespace

void ProbeOutputs::Lines::flush() {
  if (count == 0) return;
  output.submit(std::move(text), count);
  text.clear();
  count = 0;
}

int ProbeOutputs::open_lines(const std::string& place, bool goes_on, std::optional<Lines>& into) {
  auto opened = report::LineOutput::open(place, goes_on ? report::LineOutput::Mode::kAppend : report::LineOutput::Mode::kReplace);
  if (!opened) return say(opened.error()), kNotDone;
  into.emplace(Lines{.output = std::move(*opened), .text = {}});
  return kDone;
}

int ProbeOutputs::open_earlier() {
  output::Earlier earlier;
  if (options_.feed) {
    const auto text = output::read_whole(*options_.feed, decide::kMostFeedBytes);
    if (!text) return say(text.error()), kNotDone;
    if (*text) {
      auto feed = decide::parse_feed(**text);
      if (!feed) {
        say(feed.error().line == 0 ? *options_.feed : fmt::format("{}:{}", *options_.feed, feed.error().line), feed.error().why,
            "it is left as it is: move it away, and a new one is begun");
        return kNotDone;
      }
      for (const decide::FeedEntry& entry : feed->entries) earlier[{.address = entry.address, .port = entry.port}] = static_cast<probe::Verdict>(entry.verdict);
      earlier_ = *std::move(feed);
    }
  }
  if (options_.previous) {
    const auto text = output::read_whole(*options_.previous, decide::kMostFeedBytes);
    if (!text) return say(text.error()), kBadUsage;
    if (!*text) return say(*options_.previous, "there is no such file"), kBadUsage;
    auto read = output::read_earlier(**text);
    if (!read)
      return say(fmt::format("{}:{}", *options_.previous, read.error()), "is no result of weir probe", "--previous takes what --output has written"), kBadUsage;
    earlier = *std::move(read);
  }
  if (options_.previous || !earlier.empty()) summary_ = output::Summary(std::move(earlier), options_.previous.has_value());
  return kDone;
}

int ProbeOutputs::take_first_part(const probe::targets::RunState& from) {
  const bool has_results = from.position > from.unfinished.size();
  if (options_.csv && has_results && !has_first_part(*options_.csv, from.csv_bytes))
    return say(*options_.csv, "has not the results of the run's first part, and would have the rest alone", "without --csv it goes on"), kNotDone;
  cut_file(options_.output, from.output_bytes);
  cut_file(options_.csv, from.csv_bytes);
  const auto bytes = options_.output ? regular_bytes(*options_.output) : std::nullopt;
  const bool needed = options_.nft_set || options_.report;
  if (!bytes || *bytes < from.output_bytes.value_or(0)) {
    if (needed)
      return say(options_.output.value_or("--output"), "has not the results of the run's first part, which --nft-set and --report are to tell of",
                 "without these it goes on"),
             kNotDone;
    return kDone;
  }
  std::ifstream file(*options_.output);
  for (std::string line; std::getline(file, line);) {
    const auto read = output::read_line(line);
    if (!read) continue;
    output::Record record;
    record.finding = read->finding;
    record.names = read->names;
    record.categories = read->categories;
    record.before = read->before;
    summary_.take(record);
    if (options_.nft_set && decide::speaks(output::feed_verdict(record.finding.verdict)) && speakers_.size() < decide::kMostFeedEntries)
      output::append_feed_entries(speakers_, record);
  }
  if (file.bad()) return say(*options_.output, "cannot be read"), kNotDone;
  return kDone;
}

std::expected<std::unique_ptr<ProbeOutputs>, int> ProbeOutputs::open(const ProbeOptions& options, bool appends, const probe::targets::RunState* from) {
  std::unique_ptr<ProbeOutputs> out(new ProbeOutputs(options));
  for (const auto* const path : {&options.feed, &options.nft_set, &options.report, &options.state})
    if (*path)
      if (const auto problem = output::cannot_write_whole(**path)) return say(*problem), std::unexpected(kNotDone);
  if (const int status = out->open_earlier(); status != kDone) return std::unexpected(status);
  if (from != nullptr)
    if (const int status = out->take_first_part(*from); status != kDone) return std::unexpected(status);
  const bool goes_on = appends || from != nullptr;
  if (options.output)
    if (const int status = out->open_lines(*options.output, goes_on, out->json_); status != kDone) return std::unexpected(status);
  if (options.csv) {
    if (const int status = out->open_lines(*options.csv, goes_on, out->csv_); status != kDone) return std::unexpected(status);
    if (!goes_on || regular_bytes(*options.csv) == 0) out->csv_->text = output::csv_header();
  }
  return out;
}

void ProbeOutputs::take(const output::Record& found) {
  output::Record record = found;
  record.before = summary_.before(record.finding.target);
  summary_.take(record);
  if (json_) {
    output::append_json_line(json_->text, record);
    ++json_->count;
    if (json_->text.size() > kFlushBytes) json_->flush();
  }
  if (csv_) {
    output::append_csv_line(csv_->text, record);
    ++csv_->count;
    if (csv_->text.size() > kFlushBytes) csv_->flush();
  }
  // An address that never answered tells a feed nothing.
  if (!options_.feed && !options_.nft_set) return;
  if (record.finding.verdict == probe::Verdict::kTimeout && record.names.empty()) return;
  if (entries_.size() >= decide::kMostFeedEntries) {
    ++entries_left_out_;
  } else {
    output::append_feed_entries(entries_, record);
  }
}

bool ProbeOutputs::flush() {
  if (json_) json_->flush();
  if (csv_) csv_->flush();
  return (!json_ || json_->output.lines_lost() == 0) && (!csv_ || csv_->output.lines_lost() == 0);
}

bool ProbeOutputs::keep(probe::targets::RunState& state) {
  if (!flush()) return false;
  measure(state);
  return !options_.feed || write_feed() == kDone;
}

void ProbeOutputs::measure(probe::targets::RunState& state) const {
  state.output_bytes = options_.output ? regular_bytes(*options_.output) : std::nullopt;
  state.csv_bytes = options_.csv ? regular_bytes(*options_.csv) : std::nullopt;
}

int ProbeOutputs::write_feed() {
  decide::Feed run;
  run.written_s = capture::wall_ns() / kSecond;
  run.valid_until_s = run.written_s + output::kFeedValidSeconds;
  run.entries = entries_;
  decide::Feed feed = earlier_ ? decide::merged(*earlier_, run) : std::move(run);
  decide::age_out(feed, feed.written_s - output::kFeedKeptSeconds);
  if (const auto problem = output::write_whole(*options_.feed, decide::serialise(feed))) return say(*problem), kNotDone;
  return kDone;
}

int ProbeOutputs::close(bool complete) {
  int status = kDone;
  flush();
  for (auto* const lines : {&json_, &csv_})
    if (*lines)
      if (const auto problem = (*lines)->output.close()) say(*problem), status = kNotDone;
  if (options_.feed && write_feed() != kDone) status = kNotDone;
  if (options_.nft_set) {
    speakers_.insert(speakers_.end(), entries_.begin(), entries_.end());
    if (const auto problem = output::write_whole(*options_.nft_set, output::nft_sets(speakers_))) say(*problem), status = kNotDone;
  }
  if (options_.report)
    if (const auto problem = output::write_whole(*options_.report, summary_.html(capture::wall_ns()))) say(*problem), status = kNotDone;
  if (entries_left_out_ > 0) say("feed", fmt::format("{} results found no room", entries_left_out_)), status = kNotDone;
  if (!options_.quiet && options_.output != "-")
    status = std::max(status, show(fmt::format("{}{}", complete ? "" : "interrupted\n", summary_.text(report::TextStyle::of(STDOUT_FILENO)))));
  return status;
}

ProbeProgress::ProbeProgress(bool wanted, std::uint64_t total)
    : active_(wanted && ::isatty(STDERR_FILENO) == 1), total_(total), began_ns_(capture::steady_ns()), next_ns_(began_ns_ + kSecond) {}

void ProbeProgress::update(std::uint64_t done, std::uint64_t speakers) {
  if (!active_) return;
  const TimeNs now = capture::steady_ns();
  if (now < next_ns_) return;
  next_ns_ = now + kDrawEvery;
  shown_ = true;
  const double seconds = static_cast<double>(now - began_ns_) / static_cast<double>(kSecond);
  const double rate = static_cast<double>(done) / seconds;
  std::string line = fmt::format("{} of {} targets, {:.0f}/s, {} speak MPTCP", report::grouped(done), report::grouped(total_), rate, report::grouped(speakers));
  if (done > 0) {
    const auto left = static_cast<std::uint64_t>(static_cast<double>(total_ - done) / rate);
    line += fmt::format(", {}:{:02}:{:02} left", left / 3600, left / 60 % 60, left % 60);
  }
  const std::size_t width = report::TextStyle::of(STDERR_FILENO).width;
  if (width > 1) line = line.substr(0, width - 1);
  std::fputs(fmt::format("\r{}\033[K", line).c_str(), stderr);
  std::fflush(stderr);
}

void ProbeProgress::clear() {
  if (!shown_) return;
  shown_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace weir::cli
