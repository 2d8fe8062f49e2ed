// What a configuration says of the gateway that is no error, and may not be what was meant.
#pragma once

#include <string>

#include "cli/config_file.h"

namespace weir::cli {

/// Measured with 20 transfers at once over two paths: a queue of 256 was full hundreds of times in two seconds, one of 1,024 never.
inline constexpr std::int64_t kUsualQueuePackets = 1'024;

/// As gateway.interfaces takes names: one that ends in '+' stands for all that begin so.
bool is_interface_there(const std::string& name);

/// Interfaces that are not there (yet), a queue that is small; each said with its line.
void say_doubts(const std::string& path, const Config& config);

}  // namespace weir::cli
