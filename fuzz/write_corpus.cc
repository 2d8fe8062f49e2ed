// Writes the seeds of decode_fuzz and options_fuzz: the sample packets of the tests, some cut into fragments, and every form
// of every option. They are committed, so that a run begins where the tests end.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "wire/sample_encapsulations.h"
#include "wire/sample_packets.h"

namespace {

using namespace weir;
using namespace weir::wire::sample;

// Position in decode_fuzz's table of link types.
std::uint64_t selector(LinkType link) {
  constexpr LinkType kLinks[] = {
      LinkType::kEthernet, LinkType::kNull,     LinkType::kPpp,  LinkType::kRaw,  LinkType::kLoop,      LinkType::kLinuxSll,
      LinkType::kPppHdlc,  LinkType::kPppEther, LinkType::kIpv4, LinkType::kIpv6, LinkType::kLinuxSll2,
  };
  return static_cast<std::uint64_t>(std::ranges::find(kLinks, link) - std::begin(kLinks));
}

void write(const std::filesystem::path& folder, std::string name, const Octets& octets) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::isalnum(c) ? static_cast<char>(std::tolower(c)) : '_'; });
  std::ofstream out(folder / name, std::ios::binary);
  for (const std::byte octet : octets) out.put(static_cast<char>(octet));
}

Octets one(LinkType link, const Octets& packet) { return number(selector(link), 1) + number(0, 1) + number(packet.size(), 2) + packet; }

Octets two(LinkType link, const Octets& first, const Octets& second) { return one(link, first) + second; }

Octets part(const Octets& octets, std::size_t begin, std::size_t end) {
  return {octets.begin() + static_cast<std::ptrdiff_t>(begin), octets.begin() + static_cast<std::ptrdiff_t>(end)};
}

Octets v4_part(std::size_t begin, std::size_t end, std::size_t field) {
  const Octets packet = ip_tcp();
  Octets out = part(packet, 0, 20) + part(packet, 20 + begin, 20 + end);
  set16(out, 2, out.size());
  set16(out, 6, field);
  fix_ipv4(out);
  return out;
}

Octets v6_part(std::size_t begin, std::size_t end, std::size_t field) {
  return ipv6(44, hex("0600") + number(field, 2) + hex("00000009") + part(ip6_tcp(), 40 + begin, 40 + end), v6(1), v6(2));
}

void write_packets(const std::filesystem::path& folder) {
  for (const Encapsulation& row : encapsulations()) write(folder, row.name, one(row.link, row.packet));
  const Octets syn = ip_tcp({.flags = 0x02, .options = hex("020405b4 0402 080a 00000001 00000000 01 030307 1e04 0181"), .payload = {}});
  const Octets data = ip_tcp({.options = hex("0101080a0000000200000001 1e14 2005 00000001 00000002 00000001 0064 0101")});
  write(folder, "mptcp syn and data", two(LinkType::kRaw, syn, data));
  write(folder, "fragments", two(LinkType::kRaw, v4_part(0, 24, 0x2000), v4_part(24, 31, 3)));
  write(folder, "fragments overlapping", two(LinkType::kRaw, v4_part(0, 24, 0x2000), v4_part(16, 31, 2)));
  write(folder, "fragments ipv6", two(LinkType::kRaw, v6_part(0, 24, 1), v6_part(24, 31, 24)));
}

void write_options(const std::filesystem::path& folder) {
  const std::pair<const char*, const char*> options[] = {
      {"mp_capable_v1_syn", "1e040181"},
      {"mp_capable_v1_synack", "1e0c01010102030405060708"},
      {"mp_capable_v1_ack", "1e1401010102030405060708a1b2c3d4e5f60718"},
      {"mp_capable_v1_data", "1e1601010102030405060708a1b2c3d4e5f607180064"},
      {"mp_capable_v1_data_checksum", "1e1801810102030405060708a1b2c3d4e5f607180064beef"},
      {"mp_capable_v0_syn", "1e0c00810102030405060708"},
      {"mp_capable_v0_ack", "1e1400010102030405060708a1b2c3d4e5f60718"},
      {"mp_join_syn", "1e0c110566840dda11223344"},
      {"mp_join_synack", "1e1010052d275b444c0d23f155667788"},
      {"mp_join_ack", "1e18100056b9ee0feceeab4f0da46f2170540e0942b55765"},
      {"dss_ack_4", "1e08200100000001"},
      {"dss_ack_8", "1e0c20030000000000000001"},
      {"dss_ack_4_map_4", "1e1220050000000100000002000000010064"},
      {"dss_everything", "1e1c201f000000000000000100000000000000020000000100640000"},
      {"dss_fin_alone", "1e12201c0000000000000002000000000001"},
      {"add_addr_v1", "1e103002c00002078936a068bc687219"},
      {"add_addr_v1_port", "1e123002c000020701bbe7e387c1cfb8d490"},
      {"add_addr_v1_ipv6_port", "1e1e300220010db800000000000000000000000701bb0102030405060708"},
      {"add_addr_v1_echo", "1e083102c0000207"},
      {"add_addr_v0_ipv6_port", "1e16360220010db800000000000000000000000701bb"},
      {"remove_addr", "1e074001020304"},
      {"mp_prio", "1e0351"},
      {"mp_prio_v0", "1e045109"},
      {"mp_fail", "1e0c60000123456789abcdef"},
      {"mp_fastclose", "1e0c7000a1b2c3d4e5f60718"},
      {"mp_tcprst", "1e048106"},
      {"experimental", "1e06f0010203"},
      {"subtype_9", "1e0390"},
      {"several", "01011e0351051e1e0c7000a1b2c3d4e5f60718"},
  };
  std::uint64_t selector = 0;
  for (const auto& [name, octets] : options) write(folder, name, number(selector++ % 9, 1) + hex(octets));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: write_corpus fuzz/corpus\n";
    return 2;
  }
  const std::filesystem::path corpus = arguments[1];
  for (const char* folder : {"decode", "options"}) std::filesystem::create_directories(corpus / folder);
  write_packets(corpus / "decode");
  write_options(corpus / "options");
}
