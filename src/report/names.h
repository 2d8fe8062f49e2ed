// The words of the log for the engine's values. The contract fixes them: a change here is a change of the public interface.
#pragma once

#include <string_view>

#include "engine/records.h"
#include "inspect/inventory.h"

namespace weir::report {

std::string_view name_of(engine::ConnectionState state);
std::string_view name_of(engine::FallbackReason reason);
std::string_view name_of(engine::SubflowState state);
std::string_view name_of(engine::Auth auth);
std::string_view name_of(engine::AnomalyType type);
std::string_view name_of(engine::RecordAction action);
std::string_view name_of(engine::ServerName::Source source);
std::string_view name_of(inspect::InventoryRole role);
std::string_view name_of(inspect::InventoryNews::What what);

}  // namespace weir::report
