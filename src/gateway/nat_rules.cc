#include "gateway/nat_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::gateway {
namespace {

struct Words {
  bool v4;
  const char *ip, *type;
  char digit;
};
constexpr Words kFamilies[] = {{true, "ip", "ipv4_addr", '4'}, {false, "ip6", "ipv6_addr", '6'}};

// RFC 8684 §3.2: the SYN of a further subflow.
constexpr const char* kJoin = "tcp flags & (syn | ack) == syn tcp option mptcp subtype 1";

std::string elements(const rewrite::NatSettings& settings, bool v4, bool inwards) {
  std::string list;
  for (const auto& [inside, outside] : settings.fixed) {
    if (inside.is_v4() != v4) continue;
    const auto [from, to] = inwards ? std::pair(outside, inside) : std::pair(inside, outside);
    list += fmt::format("{}{} : {}", list.empty() ? "" : ", ", to_string(from), to_string(to));
  }
  return list.empty() ? "" : fmt::format(" elements = {{ {} }};", list);
}

std::string ranges(std::vector<inspect::rules::AddressRange> of, bool v4) {
  std::erase_if(of, [&](const auto& range) { return range.first.is_v4() != v4; });
  std::ranges::sort(of, {}, [](const auto& range) { return range.first; });
  std::string list;
  // Members may overlap, which those of a set may not.
  for (std::size_t i = 0; i < of.size();) {
    inspect::rules::AddressRange merged = of[i];
    while (++i < of.size() && of[i].first <= merged.last) merged.last = std::max(merged.last, of[i].last);
    list += fmt::format("{}{}", list.empty() ? "" : ", ", to_string(merged.first));
    if (merged.first != merged.last) list += fmt::format("-{}", to_string(merged.last));
  }
  return list;
}

/// What stays on the inside keeps its addresses: the chain is done with it.
std::string inside_stays(const rewrite::NatSettings& settings, const Words& family) {
  if (!settings.inside) return "";
  const std::string in = ranges(settings.inside->in, family.v4), out = ranges(settings.inside->out, family.v4);
  if (in.empty() && !settings.inside->in.empty()) return "";
  std::string rule = "    ";
  if (!in.empty()) rule += fmt::format("{} daddr {{ {} }} ", family.ip, in);
  if (!out.empty()) rule += fmt::format("{} daddr != {{ {} }} ", family.ip, out);
  return rule + fmt::format("meta nfproto {} accept\n", family.v4 ? "ipv4" : "ipv6");
}

std::string element(const char* verb, const char* map, char digit, const std::string& key, const std::string& timeout, const std::string& value) {
  return fmt::format("{} element {} {}{} {{ {}{}{} }}\n", verb, kNatTable, map, digit, key, timeout, value);
}

/// Added and deleted, whatever is there, and added again: one transaction, since older kernels do not renew what is there.
std::string set_element(const char* map, char digit, const std::string& key, const std::string& value, std::optional<std::int64_t> timeout_seconds) {
  const std::string to = " : " + value;
  std::string text = element("add", map, digit, key, "", to) + element("delete", map, digit, key, "", "");
  if (timeout_seconds) text += element("add", map, digit, key, fmt::format(" timeout {}s", *timeout_seconds), to);
  return text;
}

std::string endpoint(const rewrite::HostPort& value) { return fmt::format("{} . {}", to_string(value.address), value.port); }

}  // namespace

std::string nat_removal() { return fmt::format("add table {0}\ndelete table {0}\n", kNatTable); }

std::string nat_rules(const rewrite::NatSettings& settings) {
  std::string maps, before, after;
  for (const Words& f : kFamilies) {
    maps += fmt::format("  map listeners{0} {{ type {1} . inet_service : {1} . inet_service; flags timeout; size {2}; }}\n", f.digit, f.type,
                        settings.most_mappings);
    maps += fmt::format("  map sources{0} {{ type {1} : {1}; flags timeout; size {2}; }}\n", f.digit, f.type, settings.most_mappings);
    maps += fmt::format("  map inwards{0} {{ type {1} : {1};{2} }}\n", f.digit, f.type, elements(settings, f.v4, true));
    maps += fmt::format("  map outwards{0} {{ type {1} : {1};{2} }}\n", f.digit, f.type, elements(settings, f.v4, false));
    before += fmt::format("    {0} dnat {1} to {1} daddr . tcp dport map @listeners{2}\n", kJoin, f.ip, f.digit);
    before += fmt::format("    dnat {0} to {0} daddr map @inwards{1}\n", f.ip, f.digit);
    after += inside_stays(settings, f) +
             fmt::format("    snat {0} to {0} saddr map @outwards{1}\n    {2} snat {0} to {0} saddr map @sources{1}\n", f.ip, f.digit, kJoin);
  }
  return nat_removal() + fmt::format(
                             "table {} {{\n{}  chain before {{\n    type nat hook prerouting priority dstnat - 10;\n{}  }}\n"
                             "  chain after {{\n    type nat hook postrouting priority srcnat - 10;\n{}  }}\n}}\n",
                             kNatTable, maps, before, after);
}

std::string nat_change(const rewrite::MappingOrder& order, const std::optional<IpAddress>& source) {
  const bool install = order.what == rewrite::MappingOrder::What::kInstall;
  const auto timeout = install ? std::optional(order.timeout_seconds) : std::nullopt;
  const char digit = order.outside.address.is_v4() ? '4' : '6';
  std::string text = set_element("listeners", digit, endpoint(order.outside), endpoint(order.inside), timeout);
  if (source) text += set_element("sources", digit, to_string(order.inside.address), to_string(*source), timeout);
  return text;
}

}  // namespace weir::gateway
