#include "probe/raw/outfit.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "capture/clock.h"
#include "probe/raw/route.h"

namespace weir::probe::raw {
namespace {

constexpr TimeNs kResolveNs = 3'000'000'000;

std::optional<IpAddress> of_family(std::span<const IpAddress> addresses, bool v4) {
  const auto found = std::ranges::find_if(addresses, [&](const IpAddress& a) { return a.is_v4() == v4; });
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

std::unexpected<report::Problem> problem(std::string what, std::string why) { return std::unexpected(report::Problem{std::move(what), std::move(why)}); }

/// Fills in what the route to `target` says.
std::expected<void, report::Problem> follow_route(const IpAddress& target, const OutfitSettings& settings, LinkSettings& link, Identity& identity) {
  const bool v4 = target.is_v4();
  const auto route = route_to(target);
  const auto source = of_family(settings.sources, v4), gateway = of_family(settings.gateways, v4);
  if (!route && !(settings.interface && source)) return problem(to_string(target), std::string("there is no way to it: ") + std::strerror(route.error()));
  if (link.interface.empty()) {
    link.interface = settings.interface.value_or(route ? route->interface : "");
  } else if (!settings.interface && route && route->interface != link.interface) {
    return problem(to_string(target), "is reached by " + route->interface + ", other targets by " + link.interface + " (one run for each, or -i IFACE)");
  }
  const auto from = source ? source : route ? route->source : std::nullopt;
  if (!from) return problem(to_string(target), "there is no address to speak from (--source ADDRESS)");
  (v4 ? identity.v4 : identity.v6) = *from;
  (v4 ? identity.has_v4 : identity.has_v6) = true;
  (v4 ? link.gateway4 : link.gateway6) = gateway ? gateway : route ? route->gateway : std::nullopt;
  return {};
}

}  // namespace

std::expected<Outfit, report::Problem> make_outfit(const OutfitSettings& settings) {
  Outfit outfit;
  LinkSettings link;
  for (const IpAddress& target : settings.examples)
    if (auto followed = follow_route(target, settings, link, outfit.identity); !followed) return std::unexpected(followed.error());
  if (link.interface.empty()) return problem("--raw", "there are no targets");
  outfit.identity.data = settings.data;

  bool speaks_as_host = false;
  const auto nets = nets_of(link.interface);
  for (const auto& [has, address] : {std::pair(outfit.identity.has_v4, outfit.identity.v4), std::pair(outfit.identity.has_v6, outfit.identity.v6)}) {
    if (!has) continue;
    const bool hosts = std::ranges::any_of(nets, [&](const OnLink& net) { return net.address == address; });
    speaks_as_host |= hosts;
    if (!hosts) link.own.push_back(address);
  }
  if (speaks_as_host) {
    auto guard = ResetGuard::install();
    if (!guard)
      return problem("--raw", "the kernel would reset what it did not open, and no rule against that can be set: " + guard.error() +
                                  " (CAP_NET_ADMIN is needed, or --source with an address of the net that no host has)");
    outfit.guard = std::move(*guard);
  }
  auto opened = Link::open(link);
  if (!opened) return problem(opened.error().file, opened.error().what + (opened.error().hint.empty() ? "" : " (" + opened.error().hint + ")"));
  outfit.link = std::move(*opened);
  if (link.gateway4 || link.gateway6) {
    std::vector<IpAddress> behind;
    std::ranges::copy_if(settings.examples, std::back_inserter(behind),
                         [&](const IpAddress& a) { return a.is_v4() ? link.gateway4.has_value() : link.gateway6.has_value(); });
    if (const auto silent = outfit.link->resolve(behind, outfit.identity, capture::steady_ns() + kResolveNs))
      return problem(to_string(*silent), "does not answer on " + link.interface + ", and is the way to the targets");
  }
  return outfit;
}

}  // namespace weir::probe::raw
