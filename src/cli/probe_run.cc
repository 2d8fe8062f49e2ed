#include "cli/probe_run.h"

#include <algorithm>

#include "capture/clock.h"

namespace weir::cli {

bool ProbeRun::look(std::uint64_t done, const std::function<Open()>& open) {
  constexpr TimeNs kEvery = 500'000'000, kKeepEvery = 1'000'000'000;
  if (stop_()) return true;
  const TimeNs now = capture::steady_ns();
  if (now < next_look_ns_) return false;
  next_look_ns_ = now + kEvery;
  const auto& verdicts = outputs_.summary().verdicts();
  progress_.update(done, verdicts[static_cast<std::size_t>(probe::Verdict::kV1)] + verdicts[static_cast<std::size_t>(probe::Verdict::kV0)]);
  if (!outputs_.flush()) return true;
  if (!keep_ || now < next_keep_ns_) return false;
  if (!keep_(open())) return true;
  // Many open targets and a long feed take their time: they get one part in twenty of it.
  const TimeNs then = capture::steady_ns();
  next_keep_ns_ = then + std::max(kKeepEvery, (then - now) * 20);
  return false;
}

}  // namespace weir::cli
