#include "cli/config_changes.h"

#include <string_view>
#include <utility>

#include "cli/gateway_options.h"

namespace weir::cli {

namespace {

/// Purpose: gathers the keys whose values differ.
class Changes {
 public:
  void compare(std::string_view key, const auto& before, const auto& now) {
    if (!(before == now)) keys_.emplace_back(key);
  }
  /// What programs that run as a service have in common.
  void compare_service(const Config& before, const Config& now) {
    compare("log.eve", before.eve, now.eve);
    compare("log.rotate_bytes", before.rotation.bytes, now.rotation.bytes);
    compare("log.rotate_keep", before.rotation.keep, now.rotation.keep);
    compare("sensor.user", before.service.user, now.service.user);
    compare("sensor.inventory", before.inventory, now.inventory);
    compare("web.listen", before.service.listen, now.service.listen);
    for (const LimitInfo& limit : kLimitTable) {
      if (before.limits.*limit.field != now.limits.*limit.field) keys_.push_back("limits." + std::string(limit.name));
    }
  }
  std::vector<std::string> take() { return std::move(keys_); }

 private:
  std::vector<std::string> keys_;
};

}  // namespace

std::vector<std::string> keys_for_a_restart(const Config& before, const Config& now) {
  Changes changes;
  changes.compare_service(before, now);
  changes.compare("sensor.interfaces", before.sensor.interfaces, now.sensor.interfaces);
  changes.compare("sensor.workers", before.sensor.workers, now.sensor.workers);
  changes.compare("sensor.ring_bytes", before.sensor.ring_bytes, now.sensor.ring_bytes);
  changes.compare("sensor.timestamps", before.sensor.hardware_times, now.sensor.hardware_times);
  changes.compare("sensor.local", before.local, now.local);
  changes.compare("sensor.normalise.interface", before.normalise.interface, now.normalise.interface);
  changes.compare("sensor.normalise.create", before.normalise.create, now.normalise.create);
  changes.compare("sensor.normalise.mtu", before.normalise.mtu_bytes, now.normalise.mtu_bytes);
  changes.compare("sensor.normalise.other", before.normalise.others, now.normalise.others);
  return changes.take();
}

std::vector<std::string> gateway_keys_for_a_restart(const Config& before, const Config& now) {
  Changes changes;
  changes.compare_service(before, now);
  changes.compare("sensor.local", before.local, now.local);
  const GatewayConfig &a = before.gateway, &b = now.gateway;
  changes.compare("gateway.fail.queue", a.fail.queue, b.fail.queue);
  changes.compare("gateway.fail.memory", a.fail.memory, b.fail.memory);
  changes.compare("gateway.fail.unseen_path", a.fail.unseen_path, b.fail.unseen_path);
  changes.compare("gateway.forged", a.drop_forged, b.drop_forged);
  changes.compare("gateway.signatures", a.drop_signatures, b.drop_signatures);
  changes.compare("gateway.queues", a.queues, b.queues);
  changes.compare("gateway.first_queue", a.first_queue, b.first_queue);
  changes.compare("gateway.queue_packets", a.queue_packets, b.queue_packets);
  changes.compare("gateway.offload", a.offload, b.offload);
  changes.compare("gateway.state", a.state, b.state);
  changes.compare("gateway.state_seconds", a.state_seconds, b.state_seconds);
  if (has_proxy(before.policy) && has_proxy(now.policy)) {  // else the kernel has nothing of it
    changes.compare("gateway.proxy.port", a.proxy_port, b.proxy_port);
    changes.compare("gateway.proxy.table", a.proxy_table, b.proxy_table);
  }
  changes.compare("gateway.control.socket", a.control_socket, b.control_socket);
  changes.compare("gateway.control.token_file", a.token_file, b.token_file);
  changes.compare("gateway.control.remote", a.control_remote, b.control_remote);
  return changes.take();
}

}  // namespace weir::cli
