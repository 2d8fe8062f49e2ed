// Records as JSON, one a line: the schema is docs/PROBE.md's.
#pragma once

#include <string>

#include "probe/output/record.h"

namespace weir::probe::output {

/// Appends the line, its end included.
void append_json_line(std::string& out, const Record& record);
/// Appends one line of comma-separated values (RFC 4180); csv_header() names the columns.
void append_csv_line(std::string& out, const Record& record);
std::string csv_header();

}  // namespace weir::probe::output
