// What a stream speaks, by its first bytes.
#pragma once

#include <cstddef>
#include <span>

#include "base/direction.h"
#include "inspect/buffers.h"

namespace weir::inspect::apps {

/// At most so many first bytes are needed.
constexpr std::size_t kDetectBytes = 64;

/// kUnknown: more bytes may tell; kFailed: nothing that is known.
AppProtocol detect(Direction d, std::span<const std::byte> first);

}  // namespace weir::inspect::apps
