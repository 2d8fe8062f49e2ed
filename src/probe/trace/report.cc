#include "probe/trace/report.h"

#include <array>

namespace weir::probe::trace {
namespace {

constexpr std::array<std::string_view, 5> kQuotedNames{"nothing", "short", "intact", "changed", "removed"};
constexpr std::array<std::string_view, 5> kEndNames{"silent", "reset", "plain", "capable", "other"};
constexpr std::array<std::string_view, 6> kLossNames{"none", "removed", "changed", "dropped", "return_path", "unknown"};

}  // namespace

std::string_view name_of(Quoted quoted) { return kQuotedNames[static_cast<std::size_t>(quoted)]; }
std::string_view name_of(End end) { return kEndNames[static_cast<std::size_t>(end)]; }
std::string_view name_of(Loss loss) { return kLossNames[static_cast<std::size_t>(loss)]; }

}  // namespace weir::probe::trace
