// All rules, made ready: which patterns are looked for on which ports, and what each means.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/direction.h"
#include "base/endpoints.h"
#include "base/limits.h"
#include "inspect/match/database.h"
#include "inspect/match/plan.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::match {

/// A rule that could not be made ready.
struct Refused {
  std::string file;
  int line = 0;
  std::string why;  ///< begins with the keyword
};

/// What a pattern of a stream's database means.
struct Meaning {
  enum class Kind : std::uint8_t { kSegment, kAbsence } kind = Kind::kSegment;
  std::uint32_t plan = 0;   ///< index in RuleSet::plans()
  std::uint32_t index = 0;  ///< of the segment or absence
};

/// The rules for one direction of connections to some ports.
struct PortGroup {
  Database database;
  std::vector<std::vector<Meaning>> meanings;  ///< by pattern number
  std::vector<std::uint32_t> from_start;       ///< plans with a segment that counts from the stream's first byte
  std::vector<std::uint32_t> absences_only;    ///< plans that hold unless something comes
  std::vector<std::uint32_t> bare;             ///< plans with nothing to look for: about the connection
  std::vector<std::uint64_t> decisions;        ///< offsets at which an absence is decided, ascending
  std::uint64_t history_bytes = 0;             ///< what a direction keeps of the past
};

/// The rules that look at a part of transactions.
struct StageGroup {
  struct Fast {
    rules::Subject subject;
    Transformer transformer;
    Database database;
    std::vector<std::vector<std::uint32_t>> plans;  ///< by pattern number
  };
  std::vector<Fast> fast;
  std::vector<std::uint32_t> always;  ///< plans without a pattern
};

/// Purpose: every rule that runs. Immutable once made; shared by the connections that use it, in all threads (a reload makes another).
class RuleSet {
 public:
  /// At most this many groups of ports in a direction: beyond it, rules for few ports are looked for on all.
  static constexpr std::size_t kPortGroups = 32;

  static std::shared_ptr<RuleSet> make(std::vector<rules::Rule> rules, const Limits& limits, DatabaseCache* cache, std::vector<Refused>& refused);

  const std::vector<Plan>& plans() const { return plans_; }
  /// For a connection between these ports.
  const PortGroup& group(Direction d, std::uint16_t client_port, std::uint16_t server_port) const;
  const StageGroup& stage(Stage s) const { return stages_[static_cast<std::size_t>(s)]; }
  /// Makes it large enough to search for all of these.
  void grow(Scratch& scratch) const;
  const EvaluationLimits& limits() const { return limits_; }
  /// Some rule looks at a part of transactions or needs the protocol.
  bool needs_applications() const { return needs_applications_; }

 private:
  struct Ports {
    std::vector<std::pair<std::uint16_t, std::uint32_t>> from;  ///< first port -> group, ascending
    std::vector<PortGroup> groups;
    /// Rules for few ports of the client are about few connections: these have all rules in one group, the others go without such rules.
    std::bitset<65'536> client_ports;
    PortGroup named;
  };
  bool make_port_groups(Direction d, DatabaseCache* cache, std::vector<Refused>& refused);
  bool fill(PortGroup& group, std::span<const std::uint32_t> members, DatabaseCache* cache, std::vector<Refused>& refused);
  bool make_stage(Stage s, DatabaseCache* cache, std::vector<Refused>& refused);
  void refuse(std::uint32_t plan, std::string why, std::vector<Refused>& refused);

  std::vector<Plan> plans_;
  std::vector<bool> left_out_;
  std::array<Ports, 2> ports_;
  std::array<StageGroup, static_cast<std::size_t>(Stage::kCount)> stages_;
  EvaluationLimits limits_;
  std::uint32_t regex_match_limit_ = 0;
  bool needs_applications_ = false;
};

}  // namespace weir::inspect::match
