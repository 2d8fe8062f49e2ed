#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "capture/clock.h"
#include "cli/probe_run.h"
#include "cli/probe_trace.h"
#include "cli/process.h"
#include "cli/say.h"
#include "probe/raw/outfit.h"
#include "probe/raw/prober.h"
#include "report/table.h"

namespace weir::cli {
namespace {

namespace raw = probe::raw;

constexpr double kUsualRate = 10'000;
constexpr unsigned kUsualTimeoutMs = 1'000;
constexpr std::size_t kUsualInFlight = 1 << 17;

/// Addresses out of texts; what is none is said.
std::optional<std::vector<IpAddress>> addresses(const std::vector<std::string>& texts, const char* option) {
  std::vector<IpAddress> out;
  for (const std::string& text : texts) {
    const auto address = parse_ip_address(text);
    if (!address) {
      say(option, fmt::format("'{}' is no address", text));
      return std::nullopt;
    }
    out.push_back(*address);
  }
  return out;
}

}  // namespace

int ProbeRun::raw(Open& open) {
  const auto sources = addresses(options_.sources, "--source"), gateways = addresses(options_.gateways, "--gateway");
  if (!sources || !gateways) return kBadUsage;
  auto outfit = raw::make_outfit({.interface = options_.interface, .sources = *sources, .gateways = *gateways}, targets_.space.addresses());
  if (!outfit) return say(outfit.error().problem), outfit.error().usage ? kBadUsage : kNotDone;
  for (const report::Problem& remark : outfit->remarks) say(remark);

  raw::ProberSettings settings;
  settings.secret = {random_seed(), random_seed()};
  settings.data = options_.data;
  settings.tries = options_.tries;
  settings.timeout_ns = TimeNs{options_.timeout_ms != 0 ? options_.timeout_ms : kUsualTimeoutMs} * 1'000'000;
  settings.packets_per_second = options_.rate > 0 ? options_.rate : kUsualRate;
  settings.network_packets_per_second = options_.network_rate;
  settings.in_flight = options_.in_flight != 0 ? options_.in_flight : kUsualInFlight;
  const auto next = [&]() -> std::optional<probe::Numbered> {
    const auto number = order_.next();
    if (!number) return std::nullopt;
    return probe::Numbered{.number = *number, .target = targets_.space.at(*number)};
  };
  std::map<probe::Target, std::uint64_t> to_trace;  // what has a verdict, but no line yet
  const auto write = [&](const probe::Finding& finding, const probe::trace::Report* traced) {
    const auto categories = targets_.categories_of(finding.target.address);
    outputs_.take({.time_ns = capture::wall_ns(),
                   .mode = probe::output::Mode::kRaw,
                   .finding = finding,
                   .names = targets_.names_of(finding.target.address),
                   .categories = categories,
                   .before = {},
                   .trace = traced});
    to_trace.erase(finding.target);
  };
  ProbeTraces traces;
  const auto found = [&](const probe::Numbered& numbered, const probe::Finding& finding) {
    if (!options_.trace || !traces.keep(finding)) return write(finding, nullptr);
    to_trace.emplace(numbered.target, numbered.number);
  };
  raw::Prober prober(settings, *outfit->links, next, found);
  const auto unfinished = [&] {
    Open all = prober.unfinished();
    for (const auto& [target, number] : to_trace) all.push_back(number);
    return all;
  };
  bool stopped = false;
  std::set<std::string> failed;  // interfaces that were told
  const auto stop = [&] {
    for (const std::string& interface : outfit->links->failed())
      if (failed.insert(interface).second) say(interface, "is down: what is to go there is not sent");
    return stopped = stopped || look(prober.counters().findings, unfinished);
  };
  prober.run(stop);
  if (options_.trace && !stopped) traces.run(settings, static_cast<std::uint8_t>(options_.most_hops), *outfit->links, stop, write);
  progress_.clear();
  if (traces.left_out() > 0) say("--trace", fmt::format("{} targets were not traced: {} are at most", traces.left_out(), ProbeTraces::kMost));
  open = unfinished();
  if (const std::uint64_t dropped = outfit->links->dropped(); dropped > 0)
    say("--raw", fmt::format("{} answers found no room in the kernel", dropped), "a lower --rate");
  const auto& counters = prober.counters();
  if (counters.not_ended > 0) say("--raw", fmt::format("{} targets that had not answered got no RST: there was no time", report::grouped(counters.not_ended)));
  if (counters.not_sent > 0) say("--raw", fmt::format("{} targets could not be asked: their interface was down", report::grouped(counters.not_sent)));
  if (traces.failed() > 0) say("--trace", fmt::format("{} targets could not be traced: their interface was down", report::grouped(traces.failed())));
  return counters.not_sent > 0 || traces.failed() > 0 ? kNotDone : kDone;
}

}  // namespace weir::cli
