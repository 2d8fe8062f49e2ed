#include "reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "secrets.h"
#include "subflow_receiver.h"

namespace weir::simulate {
namespace {

using Octets = std::span<const std::byte>;

std::uint64_t number(Octets in, std::size_t at, std::size_t octets) {
  std::uint64_t value = 0;
  for (const std::byte b : in.subspan(at, octets)) value = value << 8U | std::to_integer<std::uint64_t>(b);
  return value;
}

std::uint32_t words(Octets in) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < in.size(); ++i) sum += std::to_integer<std::uint32_t>(in[i]) << (i % 2 == 0 ? 8U : 0U);
  return sum;
}

std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

struct SeenSegment {
  std::string way;  ///< point, addresses and ports: one direction of a subflow at one point
  bool to_server = false;
  bool syn = false;
  bool intact = true;
  std::uint32_t seq = 0;
  Octets payload;
  std::optional<SeenMapping> mapping;
  bool wide = true, first_data = false;
};

void read_option(Octets option, SeenSegment& out) {
  const auto subtype = number(option, 2, 1) >> 4U;
  if (subtype == 0 && option.size() >= 22) {
    out.mapping = SeenMapping{.position = 1, .dsn = 0, .length = static_cast<std::uint32_t>(number(option, 20, 2)), .option_length = 0, .checksum = {}};
    out.first_data = true;
  }
  if (subtype != 2) return;
  const auto flags = number(option, 3, 1);
  std::size_t at = 4;
  if (flags & 0x01) at += flags & 0x02 ? 8 : 4;
  if (!(flags & 0x04)) return;
  out.wide = flags & 0x08;
  SeenMapping mapping;
  mapping.dsn = number(option, at, out.wide ? 8 : 4);
  at += out.wide ? 8 : 4;
  mapping.position = number(option, at, 4);
  mapping.length = static_cast<std::uint32_t>(number(option, at + 4, 2) - (flags & 0x10 ? 1 : 0));
  if (mapping.length > 0) out.mapping = mapping;
}

SeenSegment read(const CapturedPacket& packet, std::uint16_t mss) {
  Octets ip(packet.bytes);
  ip = ip.subspan(packet.link == LinkType::kEthernet ? 14 : packet.link == LinkType::kLinuxSll ? 16 : 0);
  const bool four = number(ip, 0, 1) >> 4U == 4;
  const Octets addresses = four ? ip.subspan(12, 8) : ip.subspan(8, 32);
  const Octets tcp = ip.subspan(four ? 20 : 40);
  const Octets source = addresses.first(addresses.size() / 2);
  SeenSegment out;
  out.way = std::string(reinterpret_cast<const char*>(addresses.data()), addresses.size()) + std::string(reinterpret_cast<const char*>(tcp.data()), 4) +
            static_cast<char>(packet.point);
  // draw_scenario gives servers addresses in 198.51.100.0/24 or with host number 80.
  out.to_server = four ? number(source, 0, 1) != 198 : number(source, 15, 1) != 80;
  const std::size_t header = (number(tcp, 12, 1) >> 4U) * 4;
  out.seq = static_cast<std::uint32_t>(number(tcp, 4, 4));
  out.syn = number(tcp, 13, 1) & kSyn;
  out.payload = tcp.subspan(header);
  const std::uint32_t pseudo = words(addresses) + 6 + static_cast<std::uint32_t>(tcp.size());
  const bool right = fold(pseudo + words(tcp)) == 0xffff;
  const bool partial = number(tcp, 16, 2) == fold(pseudo);
  out.intact = right || partial || out.payload.size() > mss;
  for (std::size_t at = 20; at < header;) {
    const auto kind = number(tcp, at, 1);
    if (kind == 0) break;
    const std::size_t size = kind == 1 ? 1 : number(tcp, at + 1, 1);
    if (kind == 30) read_option(tcp.subspan(at, size), out);
    at += size;
  }
  return out;
}

}  // namespace

Reference read_naively(const Simulated& simulated) {
  Reference out;
  struct Way {
    std::optional<std::uint32_t> isn;
    std::map<std::uint64_t, SeenMapping> mappings;
    std::vector<SeenSegment> data;
  };
  std::map<std::string, Way> ways;
  std::array<std::uint64_t, 2> first_dsn{};
  const Scenario& scenario = simulated.scenario;
  for (const std::size_t side : {0U, 1U}) first_dsn[side] = derive(scenario.version, scenario.hosts[side].key).idsn + 1;
  for (const CapturedPacket& packet : simulated.packets) {
    SeenSegment segment = read(packet, scenario.hosts[0].mss);
    SeenSegment again = read(packet, scenario.hosts[1].mss);
    if (segment.to_server) std::swap(segment, again);  // the receiver's MSS counts
    if (!segment.intact) continue;
    Way& way = ways[segment.way];
    if (segment.syn) way.isn = segment.seq;
    if (segment.mapping) {
      const std::size_t sender = segment.to_server ? 0 : 1;
      if (segment.first_data) segment.mapping->dsn = first_dsn[sender];
      // Streams are shorter than 2^31.
      const auto ahead = static_cast<std::uint32_t>(segment.mapping->dsn) - static_cast<std::uint32_t>(first_dsn[sender]);
      segment.mapping->dsn = ahead;
      way.mappings.insert_or_assign(segment.mapping->position, *segment.mapping);
    }
    if (!segment.payload.empty()) way.data.push_back(std::move(segment));
  }
  std::array<std::vector<bool>, 2> seen;
  for (const std::size_t side : {0U, 1U}) {
    out.streams[side].resize(scenario.hosts[side].stream.size());
    seen[side].resize(out.streams[side].size());
  }
  for (const auto& [name, way] : ways) {
    for (const SeenSegment& segment : way.data) {
      if (!way.isn) {
        out.faults.emplace_back("data of a subflow whose SYN was not seen");
        continue;
      }
      const std::size_t sender = segment.to_server ? 0 : 1;
      const std::uint32_t position = segment.seq - *way.isn;
      for (std::size_t i = 0; i < segment.payload.size(); ++i) {
        auto mapping = way.mappings.upper_bound(position + i);
        if (mapping == way.mappings.begin() || std::prev(mapping)->second.position + std::prev(mapping)->second.length <= position + i) {
          // The segment that told it got lost, and its subflow ended: other subflows have to bring these octets.
          break;
        }
        --mapping;
        const std::uint64_t offset = mapping->second.dsn + (position + i - mapping->second.position);
        if (offset >= seen[sender].size()) {
          out.faults.push_back(fmt::format("offset {} is beyond the stream", offset));
          break;
        }
        if (seen[sender][offset] && out.streams[sender][offset] != segment.payload[i]) out.faults.push_back(fmt::format("two values at offset {}", offset));
        seen[sender][offset] = true;
        out.streams[sender][offset] = segment.payload[i];
      }
    }
  }
  for (const std::size_t side : {0U, 1U}) out.missing[side] = static_cast<std::size_t>(std::count(seen[side].begin(), seen[side].end(), false));
  return out;
}

}  // namespace weir::simulate
