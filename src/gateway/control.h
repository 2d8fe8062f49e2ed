// What is asked of a running gateway, over its Unix socket or by HTTP, and how it answers. No input or output.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/judgement.h"
#include "report/json.h"

namespace weir::gateway {

struct Command {
  enum class What : std::uint8_t { kList, kConnection, kCutConnection, kCutSubflow, kReload, kStatus, kDrain, kTakeIn };
  static constexpr std::uint32_t kMostListed = 1'000;
  What what = What::kList;
  std::uint64_t connection = 0;      ///< kList: those behind it
  std::uint32_t most = kMostListed;  ///< kList: so many at once
  std::uint32_t subflow = 0;
};

struct Answer {
  unsigned status = 200;  ///< of HTTP
  std::string body;       ///< JSON
};

/// The answer, where there is no such thing to ask for.
std::expected<Command, Answer> parse_command(std::string_view method, std::string_view target);
Answer refusal(unsigned status, std::string_view why);

/// A connection of a list, and what is told of it.
struct Listed {
  std::uint64_t connection = 0;
  std::string json;
};

/// Of the first `most` by number, whatever shard has them, elements of an array; the last one's number if there are more, else 0.
std::uint64_t append_list(report::JsonWriter& json, std::vector<Listed> all, std::size_t most);

/// One connection of the list: nothing of its keys.
void append_overview(report::JsonWriter& json, const engine::ConnectionOverview& overview, std::string_view action, std::string_view rule);

}  // namespace weir::gateway
