// One run of `weir probe` in either mode: targets in, records out, until all have a verdict or the run is interrupted.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "cli/probe_options.h"
#include "cli/probe_targets.h"
#include "probe/output/record.h"
#include "probe/targets/run_state.h"

namespace weir::cli {

/// Purpose: what the modes tell a run. Ownership: nothing.
class ProbeRun {
 public:
  ProbeRun(const ProbeOptions& options, const ProbeTargets& targets, probe::targets::Order& order, probe::output::Sink& sink, std::function<bool()> stop)
      : options_(options), targets_(targets), order_(order), sink_(sink), stop_(std::move(stop)) {}

  /// The exit status; what was begun and has no verdict is in `open`.
  int raw(std::vector<std::uint64_t>& open);
  int connect(std::vector<std::uint64_t>& open);

 private:
  const ProbeOptions& options_;
  const ProbeTargets& targets_;
  probe::targets::Order& order_;
  probe::output::Sink& sink_;
  std::function<bool()> stop_;
};

}  // namespace weir::cli
