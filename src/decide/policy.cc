#include "decide/policy.h"

#include <utility>

#include "decide/range_set.h"

namespace weir::decide {
namespace {

using Addresses = GroupSet<IpAddress, inspect::rules::AddressGroup, inspect::rules::AddressRange>;
using Ports = GroupSet<std::uint16_t, inspect::rules::PortGroup, inspect::rules::PortRange>;

bool has_bit(std::uint8_t set, unsigned bit) { return set == 0 || (set >> bit & 1U) != 0; }

}  // namespace

struct Policy::Inside {
  Addresses addresses;
};

struct Policy::Compiled {
  explicit Compiled(Rule from)
      : rule(std::move(from)),
        client(rule.match.client),
        server(rule.match.server),
        port(rule.match.port),
        decision(std::make_shared<Decision>(Decision{rule.action, rule.name, {}, rule.limits})) {}

  Rule rule;
  Addresses client, server;
  Ports port;
  std::shared_ptr<const Decision> decision;

  bool holds(const Facts& facts, FlowDirection direction) const {
    const Match& match = rule.match;
    return client.contains(facts.connection.src) && server.contains(facts.connection.dst) && port.contains(facts.connection.dst_port) &&
           has_bit(match.directions, static_cast<unsigned>(direction)) && (match.versions == 0 || (facts.version && has_bit(match.versions, *facts.version)));
  }
};

Policy::Policy(PolicySettings settings) {
  if (settings.has_inside) inside_ = std::make_unique<Inside>(Inside{Addresses(settings.inside)});
  for (Rule& rule : settings.rules) rules_.emplace_back(std::move(rule));
  settings.otherwise.name = "default";
  settings.otherwise.match = {};
  rules_.emplace_back(std::move(settings.otherwise));
}
Policy::~Policy() = default;
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;

FlowDirection Policy::direction_of(const IpAddress& client, const IpAddress& server) const {
  const bool from = !inside_ || inside_->addresses.contains(client), to = !inside_ || inside_->addresses.contains(server);
  if (from) return to ? FlowDirection::kInternal : FlowDirection::kOutbound;
  return to ? FlowDirection::kInbound : FlowDirection::kExternal;
}

std::shared_ptr<const Decision> Policy::decide(const Facts& facts) const {
  const FlowDirection direction = direction_of(facts.connection.src, facts.connection.dst);
  for (const Compiled& rule : rules_) {
    if (rule.holds(facts, direction)) return rule.decision;
  }
  return rules_.back().decision;
}

}  // namespace weir::decide
