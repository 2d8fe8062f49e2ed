#include "cli/gateway_config.h"

#include <fmt/format.h>

namespace weir::cli {
namespace {

void read_fail(const YAML::Node& fail, ConfigValues& values, FailModes& into) {
  const auto mode = [&](const YAML::Node& node, std::string_view name, FailMode& which) {
    if (const auto word = values.word(node, name, {"open", "closed"})) which = *word == 0 ? FailMode::kOpen : FailMode::kClosed;
  };
  if (!fail.IsDefined()) return;
  if (!fail.IsMap()) {
    FailMode all = FailMode::kOpen;
    mode(fail, "gateway.fail", all);
    into = {all, all, all, all};
    return;
  }
  mode(fail["dead"], "gateway.fail.dead", into.dead);
  mode(fail["queue"], "gateway.fail.queue", into.queue);
  mode(fail["memory"], "gateway.fail.memory", into.memory);
  mode(fail["unseen_path"], "gateway.fail.unseen_path", into.unseen_path);
}

/// A path, or nothing: the key is given without a value, and the thing is not wanted.
void read_path(const YAML::Node& node, std::string_view name, ConfigValues& values, std::string& into) {
  if (!node.IsDefined()) return;
  if (node.IsNull() || (node.IsScalar() && node.Scalar().empty())) return into.clear();
  values.text(node, name, "a path, or empty", into);
}

/// Of which the kernel's rules are made.
void read_rules_keys(const YAML::Node& gateway, ConfigValues& values, GatewayConfig& into) {
  values.interfaces(gateway["interfaces"], "gateway.interfaces", "as in: gateway: {interfaces: [lan0, wan1]}", into.interfaces);
  read_fail(gateway["fail"], values, into.fail);
  values.number(gateway["queues"], "gateway.queues", {1, 16}, "queues of the kernel", into.queues);
  values.number(gateway["first_queue"], "gateway.first_queue", {0, 65'535}, "a queue's number", into.first_queue);
  if (into.first_queue + 2 * into.queues > 65'536) values.error(gateway["first_queue"], "gateway.first_queue: there are not so many queues behind it");
  if (const YAML::Node proxy = gateway["proxy"]; proxy && proxy.IsMap()) {
    values.number(proxy["port"], "gateway.proxy.port", {0, 65'535}, "a port; 0 is each connection's own", into.proxy_port);
    values.number(proxy["table"], "gateway.proxy.table", {0, 0xffff'ffff}, "the number of a routing table; 0 is none", into.proxy_table);
  }
}

void read_control(const YAML::Node& control, ConfigValues& values, GatewayConfig& into) {
  if (!control.IsDefined() || !control.IsMap()) return;
  read_path(control["socket"], "gateway.control.socket", values, into.control_socket);
  if (into.control_socket.size() >= 108) values.error(control["socket"], "gateway.control.socket is too long for a socket's path (107 octets)");
  read_path(control["token_file"], "gateway.control.token_file", values, into.token_file);
  values.flag(control["remote"], "gateway.control.remote", into.control_remote);
}

}  // namespace

bool read_gateway(const YAML::Node& gateway, const inspect::rules::Variables& variables, ConfigValues& values, GatewayConfig& into) {
  const std::size_t before = values.errors();
  read_rules_keys(gateway, values, into);
  const bool known = values.errors() == before;
  if (const YAML::Node inside = gateway["inside"]; inside && !inside.IsNull() && !(inside.IsSequence() && inside.size() == 0)) {
    values.addresses(inside, "gateway.inside", variables, into.inside);
    into.has_inside = true;
  }
  if (const auto forged = values.word(gateway["forged"], "gateway.forged", {"drop", "alert"})) into.drop_forged = *forged == 0;
  if (const auto signatures = values.word(gateway["signatures"], "gateway.signatures", {"drop", "alert"})) into.drop_signatures = *signatures == 0;
  values.number(gateway["queue_packets"], "gateway.queue_packets", {16, 1 << 20}, "packets", into.queue_packets);
  values.flag(gateway["offload"], "gateway.offload", into.offload);
  read_path(gateway["state"], "gateway.state", values, into.state);
  values.number(gateway["state_seconds"], "gateway.state_seconds", {1, 3'600}, "s", into.state_seconds);
  values.number(gateway["drain_seconds"], "gateway.drain_seconds", {1, 1'000'000}, "s", into.drain_seconds);
  read_control(gateway["control"], values, into);
  return known;
}

}  // namespace weir::cli
