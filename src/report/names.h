// The words of the log for the engine's values. The contract fixes them: a change here is a change of the public interface.
#pragma once

#include <string_view>

#include "engine/records.h"

namespace weir::report {

std::string_view name_of(engine::ConnectionState state);
std::string_view name_of(engine::FallbackReason reason);
std::string_view name_of(engine::SubflowState state);
std::string_view name_of(engine::Auth auth);
std::string_view name_of(engine::AnomalyType type);

}  // namespace weir::report
