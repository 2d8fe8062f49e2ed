#include "cli/config_changes.h"

#include <string_view>

namespace weir::cli {

std::vector<std::string> keys_for_a_restart(const Config& before, const Config& now) {
  std::vector<std::string> keys;
  const auto compare = [&](std::string_view key, const auto& a, const auto& b) {
    if (!(a == b)) keys.emplace_back(key);
  };
  compare("log.eve", before.eve, now.eve);
  compare("log.rotate_bytes", before.rotation.bytes, now.rotation.bytes);
  compare("log.rotate_keep", before.rotation.keep, now.rotation.keep);
  compare("sensor.interfaces", before.sensor.interfaces, now.sensor.interfaces);
  compare("sensor.user", before.service.user, now.service.user);
  compare("sensor.workers", before.sensor.workers, now.sensor.workers);
  compare("sensor.ring_bytes", before.sensor.ring_bytes, now.sensor.ring_bytes);
  compare("sensor.timestamps", before.sensor.hardware_times, now.sensor.hardware_times);
  compare("sensor.local", before.local, now.local);
  compare("sensor.inventory", before.inventory, now.inventory);
  compare("sensor.normalise.interface", before.normalise.interface, now.normalise.interface);
  compare("sensor.normalise.create", before.normalise.create, now.normalise.create);
  compare("sensor.normalise.mtu", before.normalise.mtu_bytes, now.normalise.mtu_bytes);
  compare("sensor.normalise.other", before.normalise.others, now.normalise.others);
  compare("web.listen", before.service.listen, now.service.listen);
  for (const LimitInfo& limit : kLimitTable) {
    if (before.limits.*limit.field != now.limits.*limit.field) keys.push_back("limits." + std::string(limit.name));
  }
  return keys;
}

}  // namespace weir::cli
