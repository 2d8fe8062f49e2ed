#include "cli/probe_trace.h"

#include <optional>

namespace weir::cli {
namespace {

namespace trace = probe::trace;

/// Answers without MPTCP, or none to MPTCP alone: what a box on the way makes of a speaker.
bool may_be_stripped(probe::Verdict verdict) { return verdict == probe::Verdict::kTcpOnly || verdict == probe::Verdict::kInconclusive; }

bool is_located(trace::Loss loss) { return loss != trace::Loss::kNone && loss != trace::Loss::kUnknown; }

}  // namespace

bool ProbeTraces::keep(const probe::Finding& finding) {
  if (!may_be_stripped(finding.verdict) || finding.evidence.not_sent || finding.packets == 0) return false;
  if (findings_.size() >= kMost) {
    ++left_out_;
    return false;
  }
  findings_.emplace(finding.target, finding);
  return true;
}

void ProbeTraces::run(const probe::raw::ProberSettings& settings, std::uint8_t most_hops, probe::raw::Links& links, const std::function<bool()>& stop,
                      const Take& take) {
  trace::TracerSettings wanted;
  wanted.secret = settings.secret;
  wanted.data = settings.data;
  wanted.tries = settings.tries;
  wanted.timeout_ns = settings.timeout_ns;
  wanted.packets_per_second = settings.packets_per_second;
  wanted.most_hops = most_hops;
  std::vector<probe::Target> targets;
  for (const auto& [target, finding] : findings_) targets.push_back(target);
  std::size_t next = 0;
  trace::Tracer tracer(
      wanted, links, [&]() -> std::optional<probe::Target> { return next < targets.size() ? std::optional(targets[next++]) : std::nullopt; },
      [&](const probe::Target& target, const trace::Report* report) {
        const auto found = findings_.find(target);
        probe::Finding finding = found->second;
        findings_.erase(found);
        if (report == nullptr) ++failed_;
        if (report != nullptr && is_located(report->loss)) finding.verdict = probe::Verdict::kStripped;
        take(finding, report);
      });
  tracer.run(stop);
}

}  // namespace weir::cli
