// Rule files: whatever the text, each rule is loaded or refused with a place and a reason, and what is loaded can be made ready.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "inspect/match/plan.h"
#include "inspect/rules/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::inspect;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto variables = rules::default_variables();
  auto out = rules::parse(text, "fuzz.rules", variables);
  for (const auto& refusal : out.refusals) {
    if (refusal.why.empty() || refusal.line < 1 || refusal.column < 1) std::abort();
  }
  for (auto& rule : out.rules) {
    if (rule.sid == 0 || rule.line < 1) std::abort();
    const auto plan = match::make_plan(std::move(rule), {}, 1'000);
    if (!plan && plan.error().empty()) std::abort();
  }
  return 0;
}
