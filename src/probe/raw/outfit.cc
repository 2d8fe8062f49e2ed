#include "probe/raw/outfit.h"

#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "capture/clock.h"
#include "probe/raw/route.h"

namespace weir::probe::raw {
namespace {

constexpr TimeNs kResolveNs = 3'000'000'000;
constexpr int kAskMs = 20;
constexpr std::size_t kMostWays = 4'096;

std::unexpected<OutfitProblem> problem(std::string what, std::string why, bool usage = false) {
  return std::unexpected(OutfitProblem{.problem = {.what = std::move(what), .why = std::move(why)}, .usage = usage});
}

/// All ways that targets have, each once, and the table to them.
struct Ways {
  std::vector<KernelWay> ways;
  WayTable table;
  std::map<std::string, IpAddress> none;  ///< why there is no way, and to which target first
  bool too_many = false;

  std::optional<std::uint32_t> number(const IpAddress& target, WayFinder& finder) {
    const auto way = finder.way_to(target);
    if (!way) {
      none.emplace(way.error(), target);
      return std::nullopt;
    }
    const auto known = std::ranges::find(ways, *way);
    const auto number = static_cast<std::uint32_t>(known - ways.begin());
    if (known != ways.end()) return number;
    if (ways.size() == kMostWays) {
      too_many = true;
      return std::nullopt;
    }
    ways.push_back(*way);
    return number;
  }
};

std::expected<Ways, OutfitProblem> find_ways(WayFinder& finder, Routing& routing, bool wished, std::span<const targets::AddressRange> targets) {
  Ways found;
  const auto nets = routing.destinations();
  if (!nets) return problem("--raw", std::string("the kernel does not tell its routes: ") + std::strerror(nets.error()));
  auto table = WayTable::make(*nets, targets, [&](const IpAddress& target) { return found.number(target, finder); });
  if (!table) return problem("--raw", table.error());
  found.table = *std::move(table);
  if (found.too_many) return problem("--raw", "the targets are reached by more than " + std::to_string(kMostWays) + " gateways and addresses");
  if (!found.ways.empty()) return found;
  if (found.none.empty()) return problem("--raw", "there are no targets");
  const auto& [why, target] = *found.none.begin();
  return problem(to_string(target), why, wished);
}

/// The interfaces that the ways take, and those that the answers may come back by.
std::expected<std::vector<LinkSettings>, OutfitProblem> plan_links(const Ways& found, const WayFinder& finder, std::vector<Way>& ways) {
  std::vector<LinkSettings> links;
  const auto number_of = [&](const std::string& interface) {
    const auto known = std::ranges::find(links, interface, &LinkSettings::interface);
    const auto number = static_cast<std::size_t>(known - links.begin());
    if (known == links.end()) links.push_back({.interface = interface, .own = {}});
    return number;
  };
  for (const KernelWay& one : found.ways) {
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(one.interface, name.data()) == nullptr) return problem("--raw", "an interface has gone");
    ways.push_back({.link = number_of(name.data()), .source = one.source, .gateway = one.gateway});
    if (auto& own = links[ways.back().link].own; !one.hosts && std::ranges::find(own, one.source) == own.end()) own.push_back(one.source);
  }
  for (const KernelWay& one : found.ways)
    if (const std::string holder = one.hosts ? finder.holder_of(one.source) : ""; !holder.empty()) number_of(holder);
  if (links.size() > kMostLinks) return problem("--raw", "the targets are reached by more than " + std::to_string(kMostLinks) + " interfaces");
  return links;
}

/// Waits until the gateways have answered. Those that do not are no way; the one that was asked last is told.
std::optional<std::string> resolve_gateways(Links& links, std::vector<report::Problem>& remarks) {
  const TimeNs until = capture::steady_ns() + kResolveNs;
  const auto silent = [&](const Way& way, TimeNs now) { return way.gateway && !links.link(way).knows(*way.gateway, way.source, now); };
  for (TimeNs now = capture::steady_ns(); now < until; now = capture::steady_ns()) {
    const bool waits = std::ranges::count_if(links.ways(), [&](const Way& way) { return silent(way, now); }) > 0;
    links.flush();
    if (!waits) return std::nullopt;
    links.wait(TimeNs{kAskMs} * 1'000'000);
    links.receive([](std::span<const std::byte>, TimeNs) {});
  }
  for (Way& way : links.ways()) {
    if (!silent(way, until)) continue;
    way.usable = false;
    const std::string& interface = links.link(way).interface();
    remarks.push_back({.what = to_string(*way.gateway), .why = "does not answer on " + interface + ", and is the way to targets"});
  }
  return std::ranges::any_of(links.ways(), &Way::usable) ? std::nullopt : std::optional(remarks.back().why);
}

}  // namespace

std::expected<Outfit, OutfitProblem> make_outfit(const WayWishes& wishes, std::span<const targets::AddressRange> targets) {
  auto routing = Routing::open();
  if (!routing) return problem("--raw", std::string("the kernel's routes cannot be asked for: ") + std::strerror(routing.error()));
  auto finder = WayFinder::make(wishes, *routing);
  if (!finder) return problem(finder.error().what, finder.error().why, true);
  auto found = find_ways(*finder, *routing, wishes.any(), targets);
  if (!found) return std::unexpected(found.error());
  std::vector<Way> ways;
  const auto planned = plan_links(*found, *finder, ways);
  if (!planned) return std::unexpected(planned.error());

  Outfit outfit;
  for (const auto& [why, target] : found->none) outfit.remarks.push_back({.what = to_string(target), .why = why + ", and maybe of others"});
  if (std::ranges::any_of(found->ways, &KernelWay::hosts)) {
    auto guard = ResetGuard::install();
    if (!guard)
      return problem("--raw", "the kernel would reset what it did not open, and no rule against that can be set: " + guard.error() +
                                  " (CAP_NET_ADMIN is needed, or --source with an address of the net that no host has)");
    outfit.guard = std::move(*guard);
  }
  std::vector<std::unique_ptr<Link>> links;
  for (const LinkSettings& one : *planned) {
    auto opened = Link::open(one);
    if (!opened) return problem(opened.error().file, opened.error().what + (opened.error().hint.empty() ? "" : " (" + opened.error().hint + ")"));
    links.push_back(std::move(*opened));
  }
  outfit.links = std::make_unique<Links>(std::move(links), std::move(ways), std::move(found->table));
  if (const auto silent = resolve_gateways(*outfit.links, outfit.remarks)) return problem(outfit.remarks.back().what, *silent);
  return outfit;
}

}  // namespace weir::probe::raw
