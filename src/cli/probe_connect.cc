#include <algorithm>
#include <optional>

#include "capture/clock.h"
#include "cli/probe_run.h"
#include "cli/say.h"
#include "probe/connect/prober.h"

namespace weir::cli {
namespace {

constexpr double kUsualRate = 50;
constexpr unsigned kUsualTimeoutMs = 2'900;
constexpr std::size_t kUsualInFlight = 200, kMostInFlight = 60'000;

}  // namespace

int ProbeRun::connect(Open& open) {
  namespace connect = probe::connect;
  connect::ProberSettings settings;
  settings.timeout_ns = TimeNs{options_.timeout_ms != 0 ? options_.timeout_ms : kUsualTimeoutMs} * 1'000'000;
  settings.grace_ns = TimeNs{options_.grace_ms} * 1'000'000;
  settings.connections_per_second = options_.rate > 0 ? options_.rate : kUsualRate;
  settings.network_connections_per_second = options_.network_rate;
  settings.in_flight = std::min(options_.in_flight != 0 ? options_.in_flight : kUsualInFlight, kMostInFlight);
  settings.tries = options_.tries;
  const auto next = [&]() -> std::optional<probe::Numbered> {
    const auto number = order_.next();
    if (!number) return std::nullopt;
    return probe::Numbered{.number = *number, .target = targets_.space.at(*number)};
  };
  const auto found = [&](const probe::Numbered&, const probe::Finding& finding, const connect::Details& details) {
    const auto categories = targets_.categories_of(finding.target.address);
    outputs_.take({.time_ns = capture::wall_ns(),
                   .mode = probe::output::Mode::kConnect,
                   .finding = finding,
                   .names = targets_.names_of(finding.target.address),
                   .categories = categories,
                   .before = {},
                   .connected = &details});
  };
  connect::Prober prober(settings, next, found);
  const connect::End end = prober.run([&] { return look(prober.findings(), [&] { return prober.unfinished(); }); });
  progress_.clear();
  open = prober.unfinished();
  switch (end) {
    case connect::End::kNoMptcp:
      return say("MPTCP", "this kernel makes no MPTCP connections", "sysctl net.mptcp.enabled=1, or --raw"), kNotDone;
    case connect::End::kDisabled:
      return say("MPTCP", "the kernel has turned it off for this whole host, as SYNs with MPTCP were lost: nothing more can be told",
                 "it is on again after net.mptcp.blackhole_timeout seconds, or with that set to 0; --raw is not concerned"),
             kNotDone;
    case connect::End::kDone:
    case connect::End::kStopped:
      break;
  }
  return kDone;
}

}  // namespace weir::cli
