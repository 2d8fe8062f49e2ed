// Where a service logs when neither its command line nor its configuration names a place.
#pragma once

#include "cli/inspect_options.h"
#include "report/log_writer.h"

namespace weir::cli {

/// No place is named: /var/log/weir/eve.json, with all else as `log` has it, if that can be written; if not, it is said that nothing is logged.
/// After privileges were dropped: root could write where the user that this goes on as cannot.
void log_by_default(InspectOptions& options, report::LogSettings log);

}  // namespace weir::cli
