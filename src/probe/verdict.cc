#include "probe/verdict.h"

#include <array>

namespace weir::probe {
namespace {

constexpr std::array<std::string_view, kVerdicts> kVerdictNames{"v1", "v0", "mirror", "tcp_only", "closed", "timeout", "inconclusive", "stripped"};
constexpr std::array<std::string_view, 7> kOutcomeNames{"not_asked", "silent", "reset", "plain", "capable", "echo", "other"};
constexpr std::array<std::string_view, 6> kDataNames{"not_sent", "silent", "exact", "wrong", "no_data_ack", "reset"};

}  // namespace

std::string_view name_of(Verdict verdict) { return kVerdictNames[static_cast<std::size_t>(verdict)]; }
std::string_view name_of(Outcome outcome) { return kOutcomeNames[static_cast<std::size_t>(outcome)]; }
std::string_view name_of(DataOutcome outcome) { return kDataNames[static_cast<std::size_t>(outcome)]; }

bool parse_verdict(std::string_view text, Verdict& verdict) {
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    if (kVerdictNames[i] != text) continue;
    verdict = static_cast<Verdict>(i);
    return true;
  }
  return false;
}

}  // namespace weir::probe
