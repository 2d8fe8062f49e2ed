// The two directions of a connection.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

/// Of a connection: the client is the opener of its first subflow.
enum class Direction : std::uint8_t { kToServer = 0, kToClient = 1 };
constexpr Direction reverse(Direction d) { return d == Direction::kToServer ? Direction::kToClient : Direction::kToServer; }
constexpr std::size_t index(Direction d) { return static_cast<std::size_t>(d); }

}  // namespace weir
