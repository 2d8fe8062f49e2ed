// One function a verb: its arguments (without program and verb) to the program's exit status.
#pragma once

#include <span>

namespace weir::cli {

int inspect(std::span<const char* const> arguments);
int sensor(std::span<const char* const> arguments);
int gateway(std::span<const char* const> arguments);
int inventory(std::span<const char* const> arguments);
int rules(std::span<const char* const> arguments);
int probe(std::span<const char* const> arguments);
int config(std::span<const char* const> arguments);
int policy(std::span<const char* const> arguments);

}  // namespace weir::cli
