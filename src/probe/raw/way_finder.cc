#include "probe/raw/way_finder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::probe::raw {
namespace {

report::Problem problem(std::string what, std::string why) { return {.what = std::move(what), .why = std::move(why)}; }

/// All bits behind the first so many are set.
bool is_last(const IpAddress& address, unsigned bits) {
  for (unsigned bit = bits; bit < 128; ++bit)
    if ((address.octets[bit / 8] & (0x80U >> (bit % 8))) == 0) return false;
  return true;
}

/// One of a family at most: the second that there is.
std::optional<IpAddress> second_of_family(std::span<const IpAddress> addresses) {
  for (std::size_t i = 1; i < addresses.size(); ++i)
    if (std::ranges::any_of(addresses.first(i), [&](const IpAddress& a) { return a.is_v4() == addresses[i].is_v4(); })) return addresses[i];
  return std::nullopt;
}

/// What no packet of a host's may come from, in words (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5).
std::optional<std::string> no_source(const IpAddress& address, std::span<const HostAddress> nets) {
  if (!address.is_v4()) {
    if (address.octets[0] == 0xff) return "is a multicast address";
    if (address == IpAddress{}) return "is no address of a host";
    if (address == *parse_ip_address("::1")) return "is a loopback address: no answer would come here";
    return std::nullopt;
  }
  const std::uint8_t first = address.wire()[0];
  if (first == 0) return "is no address of a host";
  if (first == 127) return "is a loopback address: no answer would come here";
  if (first >= 224 && first < 240) return "is a multicast address";
  if (first >= 240) return "is no address of a host";
  for (const HostAddress& net : nets)
    if (net.bits <= 126 && is_within(address, net) && is_last(address, net.bits)) return "is the broadcast address of " + net.interface + "'s net";
  return std::nullopt;
}

bool is_link_local(const IpAddress& address) { return address.octets[0] == 0xfe && (address.octets[1] & 0xc0U) == 0x80; }

}  // namespace

std::expected<WayFinder, report::Problem> WayFinder::make(const WayWishes& wishes, HostNetwork& network) {
  WayFinder finder(network);
  for (const auto& [option, addresses] : {std::pair("--source", &wishes.sources), std::pair("--gateway", &wishes.gateways)})
    if (const auto second = second_of_family(*addresses)) return std::unexpected(problem(option, to_string(*second) + " is the second of its family"));
  if (wishes.interface)
    if (auto wrong = finder.fix_interface(*wishes.interface)) return std::unexpected(*std::move(wrong));
  for (const IpAddress& source : wishes.sources)
    if (auto wrong = finder.fix_source(source)) return std::unexpected(*std::move(wrong));
  for (const IpAddress& gateway : wishes.gateways)
    if (auto wrong = finder.fix_gateway(gateway)) return std::unexpected(*std::move(wrong));
  return finder;
}

std::optional<report::Problem> WayFinder::fix_interface(const std::string& name) {
  const unsigned number = network_->number_of(name);
  if (number == 0) return problem("-i " + name, "there is no such interface");
  interface_ = name;
  v4_.interface = v6_.interface = number;
  return std::nullopt;
}

std::optional<report::Problem> WayFinder::fix_source(const IpAddress& source) {
  const std::string what = "--source " + to_string(source);
  if (auto why = no_source(source, addresses_)) return problem(what, *std::move(why));
  Fixed& fixed = this->fixed(source);
  fixed.source = source;
  fixed.hosts = is_hosts(source);
  // Where answers to it come in: where it is, or, if no host has it, where its net is. Loopback's addresses are reached by any interface.
  std::vector<std::string> places;
  bool anywhere = false;
  for (const HostAddress& one : addresses_) {
    if (fixed.hosts ? one.address != source : one.loopback || !is_within(source, one)) continue;
    anywhere |= one.loopback;
    places.push_back(one.interface);
  }
  if (anywhere) return std::nullopt;
  if (!interface_.empty()) {
    if (places.empty() || std::ranges::find(places, interface_) != places.end()) return std::nullopt;
    return problem(what, (fixed.hosts ? "is an address of " : "is in the net of ") + places.front() + ", not of " + interface_ + " (-i)");
  }
  if (fixed.hosts) return std::nullopt;  // the kernel's rules say where from there
  if (places.empty()) return problem(what, "is in no net of this host's interfaces: no answer would come here (if it is routed here: -i IFACE)");
  fixed.interface = network_->number_of(places.front());
  return std::nullopt;
}

std::optional<report::Problem> WayFinder::fix_gateway(const IpAddress& gateway) {
  const std::string what = "--gateway " + to_string(gateway);
  Fixed& fixed = this->fixed(gateway);
  if (is_hosts(gateway)) return problem(what, "is this host's own address");
  if (fixed.interface == 0 && is_link_local(gateway)) return problem(what, "is on every link (-i IFACE names one)");
  const auto route = route_by({.interface = fixed.interface, .source = {}, .gateway = {}}, gateway);
  if (!route || route->gateway)
    return problem(what, fixed.interface != 0 ? "is not on the link of " + network_->name_of(fixed.interface) : "is on no link of this host's");
  const std::string interface = network_->name_of(route->interface);
  const std::string holder = fixed.source && fixed.hosts ? holder_of(*fixed.source) : "";
  if (fixed.interface == 0 && !holder.empty() && holder != interface)
    return problem(what, "is on the link of " + interface + ", and --source " + to_string(*fixed.source) + " is an address of " + holder);
  fixed.interface = route->interface;
  fixed.gateway = gateway;
  return std::nullopt;
}

std::string WayFinder::holder_of(const IpAddress& address) const {
  const auto found = std::ranges::find_if(addresses_, [&](const HostAddress& one) { return one.address == address && !one.loopback; });
  return found == addresses_.end() ? "" : found->interface;
}

std::optional<IpAddress> WayFinder::address_on(unsigned interface, const IpAddress& target) const {
  const std::string name = network_->name_of(interface);
  const auto found = std::ranges::find_if(addresses_, [&](const HostAddress& one) {
    return one.interface == name && one.address.is_v4() == target.is_v4() && is_link_local(one.address) == is_link_local(target);
  });
  return found == addresses_.end() ? std::nullopt : std::optional(found->address);
}

bool WayFinder::is_hosts(const IpAddress& address) {
  const auto known = hosts_.find(address);
  if (known != hosts_.end()) return known->second;
  const auto route = network_->route_to({.target = address, .interface = 0, .source = {}});
  return hosts_[address] = route && route->here;
}

/// Rules may look at the source: what is bound to an interface speaks from its addresses.
std::expected<Route, int> WayFinder::route_by(const Fixed& fixed, const IpAddress& target) {
  RouteQuestion question{.target = target, .interface = fixed.interface, .source = {}};
  if (fixed.source && fixed.hosts) question.source = fixed.source;
  auto route = network_->route_to(question);
  if (route || fixed.interface == 0 || question.source) return route;
  const std::string interface = network_->name_of(fixed.interface);
  for (const HostAddress& one : addresses_) {
    if (one.interface != interface || one.address.is_v4() != target.is_v4() || is_link_local(one.address)) continue;
    question.source = one.address;
    if (auto by_rule = network_->route_to(question)) return by_rule;
  }
  return route;
}

std::expected<KernelWay, std::string> WayFinder::way_to(const IpAddress& target) {
  const Fixed& fixed = this->fixed(target);
  const auto route = route_by(fixed, target);
  if (route && route->here) return std::unexpected("is this host itself (without --raw it can be asked)");
  KernelWay way;
  if (fixed.gateway) {
    const bool on_link = route && !route->gateway && route->interface == fixed.interface;
    way.interface = fixed.interface;
    if (!on_link) way.gateway = fixed.gateway;
  } else if (!route) {
    return std::unexpected((fixed.interface == 0 ? "there is no way to it: " : "there is no way to it by " + network_->name_of(fixed.interface) + ": ") +
                           std::strerror(route.error()));
  } else {
    way.interface = route->interface;
    way.gateway = route->gateway;
  }
  auto source = fixed.source ? fixed.source : route && route->interface == way.interface ? route->source : std::nullopt;
  if (!source) source = address_on(way.interface, target);
  if (!source) return std::unexpected("there is no address to speak from (--source ADDRESS)");
  way.source = *source;
  way.hosts = is_hosts(*source);
  return way;
}

}  // namespace weir::probe::raw
