// The values of options about the connection, its hosts and its files.
#pragma once

#include <string_view>

#include "inspect/rules/fault.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

Parsed<XBits> parse_xbits(std::string_view value);
Parsed<FlowInt> parse_flowint(std::string_view value);
Parsed<StreamSize> parse_stream_size(std::string_view value);
/// app-layer-protocol: nothing but what is told apart here.
Parsed<Speaks> parse_app_protocol(std::string_view value);
/// tls.version and ssl_version: versions as the hellos have them.
Parsed<NumberIn> parse_tls_versions(std::string_view value);
/// As NumberTest's forms, with the units KB (KiB), MB (MiB), GB (GiB).
Parsed<NumberIn> parse_file_size(std::string_view value);
/// filestore: which files. Every file of a connection is exported where files are; there is nothing more to do.
Parsed<bool> check_filestore(std::string_view value);
/// tag: what is to be logged besides; there are no packets in the log.
Parsed<bool> check_tag(std::string_view value);

}  // namespace weir::inspect::rules
