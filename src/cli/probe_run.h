// One run of `weir probe` in either mode: targets in, records out, until all have a verdict or the run is interrupted.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/probe_options.h"
#include "cli/probe_outputs.h"
#include "cli/probe_targets.h"
#include "probe/targets/run_state.h"

namespace weir::cli {

/// Purpose: what the modes tell a run. Ownership: nothing.
class ProbeRun {
 public:
  using Open = std::vector<std::uint64_t>;
  /// Writes down where the run is, with what was begun and has no verdict; false: it cannot be written.
  using Keep = std::function<bool(Open)>;
  /// `keep` may be empty.
  ProbeRun(const ProbeOptions& options, const ProbeTargets& targets, probe::targets::Order& order, ProbeOutputs& outputs, std::function<bool()> stop, Keep keep)
      : options_(options),
        targets_(targets),
        order_(order),
        outputs_(outputs),
        stop_(std::move(stop)),
        keep_(std::move(keep)),
        progress_(!options.quiet, order.left()) {}

  /// The exit status; what was begun and has no verdict is in `open`.
  int raw(Open& open);
  int connect(Open& open);

 private:
  /// What there is to do between packets: lines out, progress, where the run is, and whether to go on. True: no.
  bool look(std::uint64_t done, const std::function<Open()>& open);

  const ProbeOptions& options_;
  const ProbeTargets& targets_;
  probe::targets::Order& order_;
  ProbeOutputs& outputs_;
  std::function<bool()> stop_;
  Keep keep_;
  ProbeProgress progress_;
  TimeNs next_look_ns_ = 0, next_keep_ns_ = 0;
};

}  // namespace weir::cli
