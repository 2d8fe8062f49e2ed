#include "probe/output/record.h"

namespace weir::probe::output {

std::string_view name_of(Mode mode) { return mode == Mode::kRaw ? "raw" : "connect"; }

}  // namespace weir::probe::output
