#include "cli/gateway_doubts.h"

#include <fmt/format.h>
#include <net/if.h>

#include <memory>
#include <string_view>

#include "cli/say.h"
#include "report/table.h"

namespace weir::cli {

bool is_interface_there(const std::string& name) {
  if (!name.ends_with('+')) return ::if_nametoindex(name.c_str()) != 0;
  const std::string_view beginning = std::string_view(name).substr(0, name.size() - 1);
  const std::unique_ptr<struct if_nameindex, decltype(&::if_freenameindex)> all(::if_nameindex(), &::if_freenameindex);
  for (const struct if_nameindex* one = all.get(); one != nullptr && one->if_name != nullptr; ++one) {
    if (std::string_view(one->if_name).starts_with(beginning)) return true;
  }
  return false;
}

void say_doubts(const std::string& path, const Config& config) {
  const auto doubt = [&](std::string_view key, std::string_view why, std::string_view hint) {
    const int line = line_of_key(config.lines, key);
    say(line > 0 ? fmt::format("{}:{}", path, line) : path, fmt::format("{}: {}", key, why), hint);
  };
  for (const std::string& name : config.gateway.interfaces) {
    if (!is_interface_there(name))
      doubt("gateway.interfaces", fmt::format("there is no interface '{}'", name), "if it is not misspelt: what crosses it is Weir's as soon as it is there");
  }
  const std::int64_t packets = config.gateway.queue_packets;
  if (packets >= kUsualQueuePackets) return;
  const bool open = config.gateway.fail.queue == FailMode::kOpen;
  doubt("gateway.queue_packets",
        fmt::format("a few transfers fill a queue of {}: what it has no room for {}", packets, open ? "passes unseen" : "is lost, and sent again"),
        fmt::format("{} are the least that is usual; {}", report::grouped(kUsualQueuePackets),
                    open ? "no counter has what passes so, records have a low visibility" : "gateway.queue.full in stats counts it"));
}

}  // namespace weir::cli
