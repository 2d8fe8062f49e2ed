#include "cli/probe_run.h"

#include "probe/clock.h"

namespace weir::cli {

bool ProbeRun::look(std::uint64_t done) {
  constexpr TimeNs kEvery = 500'000'000;
  if (stop_()) return true;
  const TimeNs now = probe::steady_ns();
  if (now < next_look_ns_) return false;
  next_look_ns_ = now + kEvery;
  const auto& verdicts = outputs_.summary().verdicts();
  progress_.update(done, verdicts[static_cast<std::size_t>(probe::Verdict::kV1)] + verdicts[static_cast<std::size_t>(probe::Verdict::kV0)]);
  return !outputs_.flush();
}

}  // namespace weir::cli
