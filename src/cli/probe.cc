// `weir probe`: which targets speak MPTCP.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "capture/clock.h"
#include "cli/probe_options.h"
#include "cli/probe_outputs.h"
#include "cli/probe_run.h"
#include "cli/probe_targets.h"
#include "cli/probe_watch.h"
#include "cli/process.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "probe/output/whole_file.h"
#include "report/table.h"

namespace weir::cli {
namespace {

using probe::targets::RunState;

constexpr std::size_t kLongestState = 64U << 20;  // octets

/// Where the run begins: anew, or where the file of --state says.
std::expected<RunState, int> beginning(const ProbeOptions& options, std::uint64_t fingerprint, bool& goes_on) {
  RunState state{.fingerprint = fingerprint, .seed = options.seed ? *options.seed : random_seed(), .position = 0, .unfinished = {}};
  if (!options.state) return state;
  const auto text = probe::output::read_whole(*options.state, kLongestState);
  if (!text) return say(text.error()), std::unexpected(kNotDone);
  if (!*text) return state;
  const auto read = probe::targets::parse_run_state(**text);
  if (!read) return say(*options.state, read.error()), std::unexpected(kNotDone);
  if (read->fingerprint != fingerprint)
    return say(*options.state, "belongs to a run with other targets", "remove it to begin anew"), std::unexpected(kBadUsage);
  goes_on = true;
  return *read;
}

/// First the results, then what says that they are there: whenever it is killed, no target is missed, and what is told again is cut off before.
bool keep_state(const std::string& path, RunState state, ProbeOutputs& outputs) {
  if (!outputs.keep(state)) return false;
  const auto problem = probe::output::write_whole(path, to_text(state));
  if (problem) say(*problem);
  return !problem;
}

/// Nothing is asked: why.
int say_nothing_left(const ProbeOptions& options, const ProbeTargets& targets) {
  if (stop_wanted()) return say("probe", "interrupted before the first target was asked"), kNotDone;
  if (targets.named == 0 && !options.learn.empty()) return kDone;  // the logs have not named any yet
  if (targets.named == 0) return say("probe", "the lists name no target"), kNotDone;
  if (targets.unresolved == targets.named) return say("probe", "nothing is asked: no name has an address"), kNotDone;
  return say("probe", "nothing is asked: all targets are excluded", options.exclude.value_or("")), kNotDone;
}

void say_interrupted(const ProbeOptions& options, std::uint64_t left, std::uint64_t total) {
  say("probe", fmt::format("interrupted: {} of {} targets have no verdict yet", report::grouped(left), report::grouped(total)),
      options.state ? "the same command goes on from here, by " + *options.state : "with --state FILE a run can go on");
}

int run_once(const ProbeOptions& options, std::span<const std::string> learnt, bool again) {
  const auto targets = collect_targets(options, learnt, stop_wanted);
  if (!targets) return targets.error();
  if (targets->space.size() == 0) return say_nothing_left(options, *targets);
  bool goes_on = false;
  const auto state = beginning(options, targets->space.fingerprint(), goes_on);
  if (!state) return state.error();
  auto outputs = ProbeOutputs::open(options, again, goes_on ? &*state : nullptr);
  if (!outputs) return outputs.error();

  probe::targets::Order order(targets->space.size(), *state);
  std::vector<std::uint64_t> open;
  ProbeRun::Keep keep;
  if (options.state) keep = [&](ProbeRun::Open begun) { return keep_state(*options.state, order.state(std::move(begun)), **outputs); };
  ProbeRun run(options, *targets, order, **outputs, stop_wanted, std::move(keep));
  int status = options.raw ? run.raw(open) : run.connect(open);
  const std::uint64_t left = order.left() + open.size(), total = targets->space.size();
  if (const int written = (*outputs)->close(left == 0); written != kDone) return written;
  if (options.state && left == 0) std::remove(options.state->c_str());
  if (options.state && left != 0 && left != total) {
    RunState end = order.state(std::move(open));
    (*outputs)->measure(end);
    if (const auto problem = probe::output::write_whole(*options.state, to_text(end))) return say(*problem), kNotDone;
  }
  if (left != 0 && stop_wanted() && options.watch_seconds == 0) say_interrupted(options, left, total);
  return status == kDone && (left != 0 || targets->unresolved > 0) ? kNotDone : status;
}

}  // namespace

int probe(std::span<const char* const> arguments) {
  const auto options = parse_probe(arguments);
  if (!options) return options.error();
  LearningLogs logs(options->learn);
  if (options->watch_seconds == 0) return run_once(*options, logs.names(), false);
  // A round that fails is told, and the next one may do better; what is wrong in the command line ends it.
  for (bool again = false; !stop_wanted(); again = true) {
    const TimeNs next = capture::steady_ns() + TimeNs{options->watch_seconds} * 1'000'000'000;
    if (run_once(*options, logs.names(), again) == kBadUsage) return kBadUsage;
    wait_until(next, stop_wanted);
  }
  return kDone;
}

}  // namespace weir::cli
