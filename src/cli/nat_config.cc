#include "cli/nat_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace weir::cli {
namespace {

std::optional<IpAddress> read_address(const YAML::Node& node, std::string_view name, ConfigValues& values) {
  const auto address = node.IsScalar() ? parse_ip_address(node.Scalar()) : std::nullopt;
  if (!address) values.error(node, fmt::format("{} is an address", name));
  return address;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (code != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

void read_ports(const YAML::Node& node, ConfigValues& values, NatConfig::Pool& into) {
  const std::string_view text = node.IsScalar() ? std::string_view(node.Scalar()) : "";
  const auto dash = text.find('-');
  const auto first = port_of(text.substr(0, dash)), last = dash == std::string_view::npos ? first : port_of(text.substr(dash + 1));
  if (!first || !last || *last < *first) return values.error(node, "nat's pool.ports is a range of ports", "as in: ports: 20000-29999");
  into.first_port = *first;
  into.last_port = *last;
}

void read_pool(const YAML::Node& entry, ConfigValues& values, NatConfig& into) {
  const YAML::Node pool = entry["pool"];
  if (!pool.IsMap() || !pool["outside"] || !pool["ports"])
    return values.error(entry, "a pool has outside and ports", "as in: pool: {outside: [203.0.113.10], ports: 20000-29999}");
  NatConfig::Pool out;
  for (const auto& [member, text] : values.members(pool["outside"], "nat's pool.outside")) {
    const auto address = read_address(member, "a member of nat's pool.outside", values);
    if (!address) continue;
    if (!out.outside.empty() && out.outside.front().is_v4() != address->is_v4())
      values.error(member, "a pool is of IPv4 addresses or of IPv6 addresses", "make two pools");
    if (std::ranges::find(out.outside, *address) != out.outside.end()) values.error(member, fmt::format("{} is there twice", text));
    out.outside.push_back(*address);
  }
  read_ports(pool["ports"], values, out);
  values.number(pool["seconds"], "nat's pool.seconds", {10, 86'400}, "s", out.seconds);
  into.pools.push_back(std::move(out));
}

void read_static(const YAML::Node& entry, ConfigValues& values, NatConfig& into) {
  if (!entry["inside"] || !entry["outside"])
    return values.error(entry, "an entry of nat has inside and outside, or a pool", "as in: {inside: 10.0.5.2, outside: 203.0.113.9}");
  const auto inside = read_address(entry["inside"], "nat's inside", values), outside = read_address(entry["outside"], "nat's outside", values);
  if (!inside || !outside) return;
  if (inside->is_v4() != outside->is_v4()) return values.error(entry, "nat's inside and outside are of one family, IPv4 or IPv6");
  for (const auto& known : into.fixed) {
    if (known.inside == *inside) values.error(entry["inside"], fmt::format("{} has an address outside already", to_string(*inside)));
    if (known.outside == *outside) values.error(entry["outside"], fmt::format("{} stands for another address already", to_string(*outside)));
  }
  into.fixed.push_back({*inside, *outside});
}

}  // namespace

void read_nat(const YAML::Node& nat, ConfigValues& values, NatConfig& into) {
  for (const auto& entry : nat) {
    if (!entry.IsMap()) {
      values.error(entry, "an entry of nat is {inside, outside}, or pool: {outside, ports}");
    } else if (entry["pool"]) {
      if (entry["inside"] || entry["outside"]) values.error(entry, "an entry of nat has a pool, or inside and outside, and not both");
      read_pool(entry, values, into);
    } else {
      read_static(entry, values, into);
    }
  }
}

}  // namespace weir::cli
