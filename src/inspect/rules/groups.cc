#include "inspect/rules/groups.h"

#include <algorithm>
#include <bit>
#include <string>

#include "inspect/rules/numbers.h"

namespace weir::inspect::rules {
namespace {

constexpr int kDeepest = 16;                // of lists and variables in one another
constexpr std::size_t kMostRanges = 4'096;  // members, and exceptions, of one group

std::optional<AddressRange> prefix(const IpAddress& base, unsigned bits) {
  if (bits > 128) return std::nullopt;
  AddressRange range{base, base};
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned fixed = bits > i * 8 ? std::min(8U, bits - i * 8) : 0;
    const auto mask = static_cast<std::uint8_t>(0xff00U >> fixed);
    range.first.octets[i] = base.octets[i] & mask;
    range.last.octets[i] = static_cast<std::uint8_t>(range.first.octets[i] | static_cast<std::uint8_t>(~mask));
  }
  return range;
}

Parsed<AddressRange> address_range(std::string_view text) {
  const auto bad = [&] { return fault("'" + std::string(text) + "' is no address, prefix or range of addresses"); };
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto base = parse_ip_address(text.substr(0, slash));
    if (!base) return bad();
    if (const auto mask = parse_ip_address(text.substr(slash + 1)); mask && mask->is_v4() && base->is_v4()) {  // 10.0.0.0/255.0.0.0
      unsigned bits = 0;
      for (const std::uint8_t octet : mask->wire()) bits += static_cast<unsigned>(std::popcount(octet));
      const AddressRange range = *prefix(*base, 96 + bits);
      for (std::size_t i = 12; i < 16; ++i) {
        if ((range.first.octets[i] ^ range.last.octets[i] ^ mask->octets[i]) != 0xff) return bad();  // a mask with holes
      }
      return range;
    }
    const auto bits = number<unsigned>(text.substr(slash + 1));
    if (!bits || *bits > (base->is_v4() ? 32U : 128U)) return bad();
    return *prefix(*base, base->is_v4() ? 96 + *bits : *bits);
  }
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    const auto first = parse_ip_address(trimmed(text.substr(0, dash)));
    const auto last = parse_ip_address(trimmed(text.substr(dash + 1)));
    if (!first || !last || *last < *first || first->is_v4() != last->is_v4()) return bad();
    return AddressRange{*first, *last};
  }
  const auto one = parse_ip_address(text);
  if (!one) return bad();
  return AddressRange{*one, *one};
}

Parsed<PortRange> port_range(std::string_view text) {
  const auto bad = [&] { return fault("'" + std::string(text) + "' is no port or range of ports"); };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    const auto one = number<std::uint16_t>(text);
    if (!one) return bad();
    return PortRange{*one, *one};
  }
  const auto low = trimmed(text.substr(0, colon));
  const auto high = trimmed(text.substr(colon + 1));
  const auto first = low.empty() ? std::uint16_t{0} : number<std::uint16_t>(low);
  const auto last = high.empty() ? std::uint16_t{65'535} : number<std::uint16_t>(high);
  if (!first || !last || *last < *first) return bad();
  return PortRange{*first, *last};
}

std::optional<IpAddress> after(IpAddress a) {
  for (std::size_t i = 16; i-- > 0;) {
    if (++a.octets[i] != 0) return a;
  }
  return std::nullopt;
}
IpAddress before(IpAddress a) {
  for (std::size_t i = 16; i-- > 0;) {
    if (a.octets[i]-- != 0) break;
  }
  return a;
}
std::optional<std::uint16_t> after(std::uint16_t port) { return port == 65'535 ? std::nullopt : std::optional(static_cast<std::uint16_t>(port + 1)); }
std::uint16_t before(std::uint16_t port) { return static_cast<std::uint16_t>(port - 1); }

/// Adds to `left` what is left of `range` without `gone`.
template <typename Range>
void add_difference(const Range& range, const Range& gone, std::vector<Range>& left) {
  if (gone.last < range.first || range.last < gone.first) return left.push_back(range);
  if (range.first < gone.first) left.push_back({range.first, before(gone.first)});
  if (gone.last < range.last) left.push_back({*after(gone.last), range.last});
}

/// IPv4 lies within IPv6 as IpAddress has it, but no IPv6 prefix or range means it.
std::vector<AddressRange> without_v4(const AddressRange& r) {
  if (r.first.is_v4()) return {r};
  std::vector<AddressRange> left;
  add_difference(r, *prefix(*parse_ip_address("0.0.0.0"), 96), left);
  return left;
}
std::vector<PortRange> without_v4(const PortRange& r) { return {r}; }

AddressRange whole(const AddressGroup&) { return *prefix(IpAddress{}, 0); }
PortRange whole(const PortGroup&) { return {0, 65'535}; }

/// What a group holds, as ranges: its members without its exceptions.
template <typename Group>
auto held(const Group& group) {
  auto ranges = group.in;
  if (ranges.empty()) ranges.push_back(whole(group));
  for (const auto& gone : group.out) {
    decltype(ranges) left;
    for (const auto& r : ranges) add_difference(r, gone, left);
    ranges = std::move(left);
  }
  return ranges;
}

/// The text split at commas that stand in no brackets.
Parsed<std::vector<std::string_view>> members(std::string_view text) {
  std::vector<std::string_view> out;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      const auto member = trimmed(text.substr(begin, i - begin));
      if (member.empty()) return fault("an empty member of a list");
      out.push_back(member);
      begin = i + 1;
    } else if (text[i] == '[') {
      ++depth;
    } else if (text[i] == ']' && --depth < 0) {
      return fault("a ']' without its '['");
    }
  }
  if (depth != 0) return fault("a '[' without its ']'");
  return out;
}

/// Adds a group to `into`: its members and, as lists and variables are only a way to write them, its exceptions. What is negated is one
/// exception, however it is made: ![10.0.0.0/8,!10.1.0.0/16] leaves 10.1.0.0/16. `Read`: one member that is no list, variable or any.
template <typename Group, typename Read>
Parsed<bool> add(std::string_view text, const Variables& variables, Read read, Group& into, int depth) {
  if (depth > kDeepest) return fault("lists or variables are nested too deeply");
  text = trimmed(text);
  if (text.starts_with('!')) {
    Group negated;
    if (auto added = add(text.substr(1), variables, read, negated, depth + 1); !added) return added;
    const auto ranges = held(negated);
    if (ranges.empty()) return fault("nothing is left of what is negated");
    if (into.out.size() + ranges.size() > kMostRanges) return fault("too many exceptions");
    into.out.insert(into.out.end(), ranges.begin(), ranges.end());
    return true;
  }
  if (text.starts_with('$')) {
    const auto found = variables.find(text.substr(1));
    if (found == variables.end()) return fault("no variable " + std::string(text));
    return add(std::string_view(found->second), variables, read, into, depth + 1);
  }
  if (text == "any") {
    into.in.push_back(whole(into));
    return true;
  }
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return fault("a '[' without its ']'");
    const auto parts = members(text.substr(1, text.size() - 2));
    if (!parts) return std::unexpected(parts.error());
    for (const auto part : *parts) {
      if (auto added = add(part, variables, read, into, depth + 1); !added) return added;
    }
    return true;
  }
  const auto one = read(text);
  if (!one) return std::unexpected(one.error());
  if (into.in.size() >= kMostRanges) return fault("too many members");
  for (const auto& range : without_v4(*one)) into.in.push_back(range);
  return true;
}

template <typename Group, typename Read>
Parsed<Group> parse_group(std::string_view text, const Variables& variables, Read read) {
  Group group;
  if (auto added = add(text, variables, read, group, 0); !added) return std::unexpected(added.error());
  if (held(group).empty()) return fault("nothing is left of it: no packet can match");
  const auto all = whole(group);
  if (std::ranges::any_of(group.in, [&](const auto& r) { return r.first == all.first && r.last == all.last; })) group.in.clear();
  return group;
}

}  // namespace

bool AddressGroup::contains(const IpAddress& a) const {
  const auto holds = [&](const AddressRange& r) { return r.first <= a && a <= r.last; };
  return (in.empty() || std::ranges::any_of(in, holds)) && std::ranges::none_of(out, holds);
}

bool PortGroup::contains(std::uint16_t port) const {
  const auto holds = [&](const PortRange& r) { return r.first <= port && port <= r.last; };
  return (in.empty() || std::ranges::any_of(in, holds)) && std::ranges::none_of(out, holds);
}

Parsed<AddressGroup> parse_addresses(std::string_view text, const Variables& variables) { return parse_group<AddressGroup>(text, variables, address_range); }
Parsed<PortGroup> parse_ports(std::string_view text, const Variables& variables) { return parse_group<PortGroup>(text, variables, port_range); }

}  // namespace weir::inspect::rules
