// What is decided of a connection: an action, the limits that hold for its subflows, and which rule said so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::decide {

/// allow: neither looked at nor held up. inspect: rebuilt and scanned. strip: MP_CAPABLE taken out, so that both ends speak plain TCP.
/// reset: refused. proxy: marked for a proxy on this machine.
enum class Action : std::uint8_t { kAllow, kInspect, kStrip, kReset, kProxy };
std::string_view name_of(Action action);
std::optional<Action> action_of(std::string_view name);

enum class MayOpen : std::uint8_t { kBoth, kClient, kServer };
std::string_view name_of(MayOpen who);

enum class AddAddr : std::uint8_t { kAllow, kDrop, kTranslate };
std::string_view name_of(AddAddr what);

/// What subflows a connection may have. 0 of a number: as many as there are.
struct JoinLimits {
  std::uint32_t subflows = 0;               ///< at once, the first included
  std::vector<std::string> paths{};         ///< of which a further subflow's SYN must cross one; a name may end in '*'; none: all
  MayOpen opened_by = MayOpen::kBoth;       ///< who may open further subflows
  std::uint32_t joins_per_second = 0;       ///< of one connection
  bool backup_only = false;                 ///< further subflows only with the backup flag
  AddAddr add_addr = AddAddr::kTranslate;   ///< translate: where an address of `nat` is in it; else as allow
  std::uint8_t versions = 0;                ///< that may be agreed: bit 0: v0, bit 1: v1; none: all. Another one is stripped
  std::uint32_t host_connections = 0;       ///< of one client at once
  std::uint32_t host_subflows = 0;          ///< of one client at once, all its connections together
  std::uint32_t host_joins_per_second = 0;  ///< of one client, all its connections together
  friend bool operator==(const JoinLimits&, const JoinLimits&) = default;

  /// Whether any JOIN can be refused: if not, no one need be asked.
  bool limits_joins() const { return subflows > 0 || !paths.empty() || opened_by != MayOpen::kBoth || joins_per_second > 0 || backup_only || limits_host(); }
  bool limits_host() const { return host_connections > 0 || host_subflows > 0 || host_joins_per_second > 0; }
};

struct Decision {
  Action action = Action::kInspect;
  std::string rule;    ///< its name; "default": none matched
  std::string reason;  ///< for people: what it matched on
  JoinLimits limits;
};

}  // namespace weir::decide
